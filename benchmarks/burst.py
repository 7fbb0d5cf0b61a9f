"""Many connections at once, and silent ones: who is served, who is told to come again, and when.

The server has a stand-in for the model, in a process of its own; the clients share the machine with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import time
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

from benchmarks.crowd import STATE, serving
from llmstep.http.connections import GRACE_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVED, BUSY = 200, 429


@attrs.frozen
class Burst:
    """What became of connections that all came at once; seconds from the first of them."""

    connections: int
    names: bool
    """Whether each was a client of its own."""
    silent: int
    """Connections that were open before, and said nothing."""
    statuses: dict[int, int]
    last_refusal: float
    """When the last of those who were told to come again knew it; 0 where there was none."""
    first_answer: float


async def burst(connections: int, *, names: bool = False, silent: int = 0, seconds: float = 0.05) -> Burst:
    """
    Args:
        seconds: What the stand-in takes for each request.
    """
    _allow_files(connections + silent)
    async with serving("benchmarks.stand_in", "--seconds", str(seconds)) as url, _silent(url, silent):
        started = time.perf_counter()
        got = await asyncio.gather(*(_one(url, number, names) for number in range(connections)))
    came = {status: [at - started for each, at in got if each == status] for status in {each for each, _ in got}}
    return Burst(
        connections,
        names,
        silent,
        dict(sorted(Counter(status for status, _ in got).items())),
        max(came.get(BUSY, [0.0])),
        min(came.get(SERVED, [0.0])),
    )


async def _one(url: str, number: int, names: bool) -> tuple[int, float]:
    """Status, and when it came; 0 where the connection broke."""
    body = json.dumps({"tactic_state": STATE.format(number=number)}).encode()
    name = f"X-Llmstep-Client: {number}\r\n" if names else ""
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\n{name}Content-Type: application/json\r\n"
    try:
        reader, writer = await asyncio.open_connection(*_address(url))
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        status = int((await reader.readline()).split()[1])
        at = time.perf_counter()
        writer.close()
    except (OSError, IndexError, ValueError):
        return 0, time.perf_counter()
    return status, at


@contextlib.asynccontextmanager
async def _silent(url: str, number: int) -> AsyncIterator[None]:
    opened = [await asyncio.open_connection(*_address(url)) for _ in range(number)]
    await asyncio.sleep(2 * GRACE_SECONDS if number else 0)  # younger ones are not closed for another
    try:
        yield
    finally:
        for _, writer in opened:
            writer.close()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 80


def _allow_files(number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, number + 256)), hard))
