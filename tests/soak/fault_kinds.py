"""Kinds of faults at a running companion: each makes one and takes it back."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from companion_bench import Bench


def signalled(part: str, number: signal.Signals, *, busy: bool) -> Callable[[Bench], Awaitable[str]]:
    async def work(bench: Bench) -> str:
        await bench.open()
        asked = None
        if busy:
            asked = bench.ask()
            await asyncio.sleep(0.15)
        else:
            await bench.works()
            await bench.open()
        processes = bench.lean(part)
        for process in processes:
            process.send_signal(number)
        try:
            return await (asked or bench.ask()) or "(nothing; the answer came)"
        finally:
            if number is signal.SIGSTOP:
                for process in processes:
                    with contextlib.suppress(psutil.Error):
                        process.send_signal(signal.SIGCONT)

    return work


def configured(**changes: Any) -> Callable[[Bench], Awaitable[str]]:
    async def work(bench: Bench) -> str:
        await bench.open()
        bench.editor.messages.clear()
        bench.configure(**changes)
        try:
            told = await bench.works()
            return " / ".join(dict.fromkeys([*bench.editor.messages, *([told] if told else [])])) or "(nothing)"
        finally:
            bench.configure()

    return work


def lean_is(*command: str) -> Callable[[Bench], Awaitable[str]]:
    return configured(lean={"command": list(command), "timeoutSeconds": 3})


def starter() -> Path:
    from llmstep.catalog.registry import find_record
    from llmstep.catalog.store import cache_path

    record = find_record("starter")
    assert record is not None
    found = cache_path(record)
    assert found is not None
    return Path(found)


def damaged(change: Callable[[Path], object]) -> Callable[[Bench], Awaitable[str]]:
    async def work(bench: Bench) -> str:
        folder = bench.folder / "model"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(starter(), folder)
        for each in [folder, *folder.rglob("*")]:
            each.chmod(each.stat().st_mode | stat.S_IWUSR)
        change(folder)
        return await configured(model=str(folder), template="starter")(bench)

    return work
