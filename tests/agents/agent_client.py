"""A small project, and `llmstep mcp` on it, which the SDK's own client drives over both transports."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

TOKEN = "a-token-for-the-tests-0123456789"
FILE = """theorem both (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  constructor
  · sorry
  · exact hq

theorem 𝔸swap (n m : Nat) : n + m = m + n := by
  sorry

theorem wrong : False := by
  sorry

theorem done (p : Prop) (hp : p) : p := hp
"""


@attrs.frozen
class Project:
    """A folder with one Lean file, and what starts `llmstep mcp` for it."""

    root: Path
    options: tuple[str, ...]

    @property
    def file(self) -> Path:
        return self.root / "Some file.lean"

    @asynccontextmanager
    async def client(
        self, transport: str = "stdio", mode: str = "auto", *options: str, cwd: Path | None = None, **more: Any
    ) -> AsyncIterator[Client]:
        """A client of a server of its own."""
        arguments = ["-m", "llmstep", "mcp", *self.options, *options]
        if transport == "stdio":
            stdio = StdioServerParameters(
                command=sys.executable, args=arguments, cwd=cwd or self.root, env=dict(os.environ)
            )
            async with Client(stdio, mode=mode, **more) as made:
                yield made
            return
        async with self.listening(arguments, cwd or self.root) as url, http_client(url, mode, TOKEN, **more) as made:
            yield made

    @asynccontextmanager
    async def listening(self, arguments: Sequence[str], cwd: Path) -> AsyncIterator[str]:
        """The address of a server that listens."""
        environment = {**os.environ, "LLMSTEP_TOKEN": TOKEN}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            "--transport",
            "http",
            "--port",
            "0",
            cwd=cwd,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            said = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
            found = re.fullmatch(r"llmstep mcp listens at (\S+)\n", said)
            assert found is not None, said
            yield found[1]
        finally:
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 60) == 0


@asynccontextmanager
async def http_client(url: str, mode: str, token: str, **more: Any) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode, **more) as made,
    ):
        yield made


async def call(client: Client, tool: str, arguments: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What a tool answers, which is the same as a text and as a structure."""
    result = await client.call_tool(tool, dict(arguments), **more)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


async def refusal(client: Client, tool: str, arguments: Mapping[str, Any]) -> str:
    """The sentences with which a tool refuses a call."""
    result = await client.call_tool(tool, dict(arguments))
    assert result.is_error
    assert result.structured_content is None
    [content] = result.content
    return str(content.text)
