"""While the model generates without a pause, the editor's requests keep being answered."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING

import pytest
from lsprotocol import types
from test_suggest import AND

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import Editor, Page

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]

ROUNDS = 100


async def test_answers_while_the_model_generates(
    opened: Callable[..., Page], shared: Editor, record_property: Callable[[str, object], None]
) -> None:
    """100 requests for code actions and 100 for inlay hints; the times are reported, not judged."""
    busy, page = opened(AND), opened(AND)
    stop = asyncio.Event()
    runs = 0

    async def keep_generating() -> None:
        nonlocal runs
        while not stop.is_set():
            runs += 1
            argument = {
                "textDocument": {"uri": busy.uri},
                "position": busy.at("sorry"),
                "prefix": f"have h{runs}",
                "count": 64,
            }
            params = types.ExecuteCommandParams("llmstep.suggest", [argument], work_done_token=f"busy{runs}")
            identifier, run = shared.request(types.WORKSPACE_EXECUTE_COMMAND, params)
            await asyncio.wait({run, asyncio.ensure_future(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
            if not run.done():
                shared.cancel(identifier)
                await asyncio.wait({run})

    work = asyncio.create_task(keep_generating())
    await shared.until(lambda: shared.generates("busy1"))
    times: list[float] = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        assert await page.actions(page.at("sorry"))
        times.append(time.perf_counter() - started)
        started = time.perf_counter()
        assert await page.hints() == []
        times.append(time.perf_counter() - started)
    states = [status.state for status in shared.statuses[-5:]]
    stop.set()
    await work

    times.sort()
    median, p99 = statistics.median(times) * 1000, times[int(0.99 * len(times))] * 1000
    record_property("median_ms", round(median, 1))
    record_property("p99_ms", round(p99, 1))
    print(f"\n{len(times)} requests while generating: median {median:.1f} ms, p99 {p99:.1f} ms, {runs} runs")
    assert len(times) == 2 * ROUNDS
    assert "generating" in states or "checking" in states
