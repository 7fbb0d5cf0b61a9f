"""A limit on the memory of Lean's processes.

The system's own limits do not fit: Lean reserves gigabytes of addresses that it never touches, and maps .olean files as
private data. So what each process really has is looked at, often enough that none gets far.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import psutil

from llmstep.errors import LeanMemoryError
from llmstep.lean import process
from llmstep.lean.client import LeanClient
from llmstep.settings import CheckSettings

_SECONDS: Final = 0.2
_SECONDS_AT_REST: Final = 1.0
_LOOKS_BETWEEN_LISTS: Final = 5
"""A list of the processes costs more than a look at one."""


def limit_of(check: CheckSettings) -> int:
    """Most private bytes of one process: the setting, or half of the machine's memory."""
    return check.memory_mb * 1_000_000 or psutil.virtual_memory().total // 2


async def watch(client: LeanClient, limit: int, on_end: Callable[[str], None]) -> None:
    """Ends each process of a server that grows beyond `limit` bytes of private memory, as long as the server lives.

    The whole of it ends with its own process. `on_end` is called with the document of a worker that is ended.
    """
    members: list[psutil.Process] = []
    ended: set[psutil.Process] = set()  # they may still be listed, and what is asked now is another worker's
    looks = 0
    while client.alive:
        if looks % _LOOKS_BETWEEN_LISTS == 0:
            members = await asyncio.to_thread(process.family, client.pid)
        looks += 1
        for member in members:
            if member in ended or not _is_larger(member, limit):
                continue
            for grown in process.describe([member]):  # none where it has just ended
                process.end([member])
                ended.add(member)
                if grown.uri:
                    on_end(grown.uri)
                elif grown.role == "watchdog" or grown.pid == client.pid:
                    client.end(too_large(limit))
        await asyncio.sleep(_SECONDS if client.is_asked else _SECONDS_AT_REST)


def _is_larger(member: psutil.Process, limit: int) -> bool:
    try:
        return process.private_bytes(member) > limit
    except psutil.Error:
        return False


def too_large(limit: int) -> LeanMemoryError:
    """The error of a request whose process was ended because of its size in bytes."""
    return LeanMemoryError(
        f"Lean was stopped: it took more than {limit // 1_000_000} MB of memory.",
        hint="Raise llmstep.check.memoryMB if the machine has more, or look for what grows above the goal.",
    )
