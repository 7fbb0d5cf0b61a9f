"""Work that several wait for is done once, and stopped when nobody waits any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmstep.engine.answers import Answers
from llmstep.errors import CancelledError, RemoteError
from llmstep.progress import Progress, ProgressSink, silent


class Work:
    """Work that waits until it is told to end."""

    def __init__(self) -> None:
        self.begun = self.stopped = 0
        self.progress: ProgressSink = silent
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __call__(self, progress: ProgressSink) -> str:
        self.begun += 1
        self.progress = progress
        try:
            return await asyncio.shield(self.end)
        except asyncio.CancelledError:
            self.stopped += 1
            raise


async def settle(*tasks: asyncio.Task[Any]) -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


async def test_done_once_for_all_and_progress_for_each() -> None:
    flights = Answers()
    work = Work()
    told: list[list[Progress]] = [[], []]
    tasks = [asyncio.create_task(flights.join("a", work, each.append)) for each in told]
    await settle(*tasks)
    work.progress(Progress("generate", "Generating", 1, 2))
    work.end.set_result("done")
    assert await asyncio.gather(*tasks) == ["done", "done"]
    assert (work.begun, len(flights._flights)) == (1, 0)
    assert told == [[Progress("generate", "Generating", 1, 2)]] * 2


async def test_another_question_is_another_flight() -> None:
    flights = Answers()
    works = [Work(), Work()]
    tasks = [asyncio.create_task(flights.join(key, work)) for key, work in enumerate(works)]
    await settle(*tasks)
    assert len(flights._flights) == 2
    for number, work in enumerate(works):
        work.end.set_result(str(number))
    assert await asyncio.gather(*tasks) == ["0", "1"]


async def test_stopped_when_the_last_one_has_gone_and_not_before() -> None:
    flights = Answers()
    work = Work()
    first, second = (asyncio.create_task(flights.join("a", work)) for _ in range(2))
    await settle(first, second)
    first.cancel()
    await asyncio.wait([first])
    assert work.stopped == 0
    second.cancel()
    await asyncio.wait([second])
    assert (work.stopped, len(flights._flights)) == (1, 0)
    again = asyncio.create_task(flights.join("a", work))
    await settle(again)
    assert work.begun == 2
    again.cancel()
    await asyncio.wait([again])


async def test_an_error_reaches_all() -> None:
    flights = Answers()
    work = Work()
    tasks = [asyncio.create_task(flights.join("a", work)) for _ in range(2)]
    await settle(*tasks)
    work.end.set_exception(RemoteError("gone"))
    for task in tasks:
        with pytest.raises(RemoteError, match="gone"):
            await task


async def test_closing_ends_all_with_a_sentence() -> None:
    flights = Answers()
    work = Work()
    task = asyncio.create_task(flights.join("a", work))
    await settle(task)
    await flights.close()
    with pytest.raises(CancelledError, match="The engine was closed"):
        await task
    assert work.stopped == 1
