"""Requests written by hand, and connections that say nothing more."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING

import attrs

from .conftest import STATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@attrs.frozen
class Answer:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> dict[str, object]:
        content: dict[str, object] = json.loads(self.body)
        return content


def request_bytes(name: str = "", path: str = "/") -> bytes:
    body = json.dumps({"tactic_state": STATE, "prefix": name, "context": ""}).encode()
    who = f"X-Llmstep-Client: {name}\r\n" if name else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{who}Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def read(reader: asyncio.StreamReader, started: float = 0.0) -> Answer:
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await asyncio.wait_for(reader.readexactly(int(headers["content-length"])), 60)
    return Answer(int(head[0].split()[1]), headers, body, time.monotonic() - started)


@contextlib.asynccontextmanager
async def idlers(port: int, number: int, said: bytes) -> AsyncIterator[list[asyncio.StreamReader]]:
    """So many connections that have said this much and say no more."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(number)]
    for _, writer in opened:
        writer.write(said)
    try:
        yield [reader for reader, _ in opened]
    finally:
        for _, writer in opened:
            writer.close()


SILENT = [
    b"",
    b"POST / HTTP/1.1\r\nHost: loc",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
]
