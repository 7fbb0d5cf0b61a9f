"""The companion under test: it is asked for a goal, and the processes below it are looked at."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from pathlib import Path
from typing import Any

import attrs
import psutil
from lsprotocol import types
from pygls.exceptions import JsonRpcException

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "lsp"), str(Path(__file__).resolve().parents[1])]

from client import Editor, Page  # noqa: E402

GOAL = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  sorry\n"

SECONDS = 60.0
"""A fault that lasts longer than this counts as not overcome."""


@attrs.frozen
class Outcome:
    """What came of a fault."""

    fault: str
    told: str
    """What the user read, or a remark in brackets."""
    told_after: float
    """Seconds from the question to that."""
    seconds: float | None
    """From the end of the fault until the goal is answered as before; None when it never was."""


class Bench:
    """The companion under test."""

    def __init__(self, folder: Path, lean: str) -> None:
        self.folder = folder
        self.options: dict[str, Any] = {
            "model": "starter",
            "device": "cpu",
            "count": 8,
            "lean": {"command": [lean, "--server"], "timeoutSeconds": 8},
            "http": {"enabled": False},
        }
        self.editor = Editor()
        self.page: Page
        self.took = 0.0
        """Seconds of the last question."""
        self._pages = 0

    async def start(self) -> None:
        await self.editor.start(self.folder, options=self.options)
        await self.open()
        assert await self.works() == ""

    async def open(self) -> None:
        self._pages += 1
        self.page = self.editor.open(self.folder / f"F{self._pages}.lean", GOAL)

    def configure(self, **changes: Any) -> None:
        """Push settings; those that are not named go back to the first ones."""
        self.editor.client.workspace_did_change_configuration(
            types.DidChangeConfigurationParams({"llmstep": {**self.options, **changes}})
        )

    async def works(self, **more: Any) -> str:
        """Ask for the goal; empty when a step closes it, else what was told."""
        begun = time.perf_counter()
        try:
            return await self._works(more)
        finally:
            self.took = time.perf_counter() - begun

    async def _works(self, more: dict[str, Any]) -> str:
        try:
            answer = await asyncio.wait_for(self.page.suggest(self.page.at("sorry"), **more), SECONDS)
        except JsonRpcException as error:
            hint = error.data.get("hint", "") if isinstance(error.data, dict) else getattr(error.data, "hint", "")
            return f"{error.message} {hint}".strip()
        except asyncio.TimeoutError:
            return "(no answer)"
        closes = any(each["verdict"] == "closes" for each in answer["suggestions"])
        return "" if closes else str(answer["summary"])

    def ask(self) -> asyncio.Task[str]:
        return asyncio.create_task(self.works())

    def lean(self, part: str) -> list[psutil.Process]:
        """The Lean processes with this word on their command lines."""
        assert self.editor.process is not None
        family = psutil.Process(self.editor.process.pid).children(recursive=True)
        return [each for each in family if part in " ".join(_words(each))]

    async def recovered(self) -> float | None:
        """Seconds until the goal is answered as before."""
        begun = time.perf_counter()
        while time.perf_counter() - begun < SECONDS:
            if not await self.works(more=False):
                return time.perf_counter() - begun
            await asyncio.sleep(0.1)
        return None


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []
