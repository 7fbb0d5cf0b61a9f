"""Several windows of an editor that share one model: how long all wait who ask at once, and what each window costs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import statistics
import time
from typing import TYPE_CHECKING, Any

import attrs
import psutil

from benchmarks.companion import companion
from benchmarks.page import Page
from llmstep.errors import LlmstepError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from benchmarks.companion import Companion
    from benchmarks.editor import Plan

_SECONDS_TO_LISTEN = 120.0
_MB = 1e6


@attrs.frozen
class Memory:
    """What one companion holds after its answers, in MB (10^6 bytes), without the Lean server that it has started."""

    engine: str
    """`inProcess` where the model is, `shared` where another companion's is used."""
    rss: float
    """Resident, shared pages counted in full."""
    pss: float | None
    """Resident, each shared page divided by those who share it; None where the system does not say."""
    started_rss: float
    """Resident in the processes that it has started."""


@attrs.frozen
class Windows:
    """So many companions, all asking at the same moment, each about another goal."""

    windows: int
    answers: int
    """Answers with suggestions, of all rounds."""
    median_seconds: float
    worst_seconds: float
    memory: tuple[Memory, ...]
    """Of the companions, in the order of their start."""


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def windows(
    folder: Path, settings: Mapping[str, Any], plan: Plan, tell: Callable[[str], None] = lambda _: None
) -> list[Windows]:
    """More and more companions with the same settings; the first one has the port.

    Raises:
        LlmstepError: A companion fails, or does not share.
    """
    found = []
    goals = itertools.count()
    port = settings["http"]["port"]
    async with contextlib.AsyncExitStack() as stack:
        pages: list[Page] = []
        for count in sorted(plan.windows):
            while len(pages) < count:
                made = await stack.enter_async_context(companion(folder, settings))
                if not pages:
                    await _listening(port)
                page = Page.open(made, folder / f"Window{len(pages)}.lean", 100, next(goals))
                await page.ask()  # loads the model, or finds the one that is there
                pages.append(page)
            seconds: list[float] = []
            answers = 0
            for _ in range(plan.asks):
                asked = await asyncio.gather(*(_asked(page, next(goals)) for page in pages))
                seconds += [each for each, _ in asked]
                answers += sum(bool(got) for _, got in asked)
            memory = [await _memory(page.companion) for page in pages]
            found.append(
                Windows(count, answers, round(statistics.median(seconds), 3), round(max(seconds), 3), tuple(memory))
            )
            tell(f"{count} windows: done")
    return found


async def _asked(page: Page, goal: int) -> tuple[float, int]:
    page.restate(goal)
    return await page.ask_seconds()


async def _listening(port: int) -> None:
    """Wait until somebody listens at a port."""
    until = time.monotonic() + _SECONDS_TO_LISTEN
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise LlmstepError(
        f"The first companion did not listen at port {port}.",
        hint="Run the benchmark again: another port is taken then.",
    )


async def _memory(made: Companion) -> Memory:
    status = await made.command("llmstep.status")
    process = psutil.Process(made.process.pid)
    full = process.memory_full_info()
    pss = getattr(full, "pss", None)
    started = 0
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            started += child.memory_info().rss
    return Memory(
        engine=str(status["engine"]),
        rss=round(full.rss / _MB, 1),
        pss=None if pss is None else round(pss / _MB, 1),
        started_rss=round(started / _MB, 1),
    )
