"""The queue before the engine, alone: whose turn it is, its bounds, and requests that go."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

import pytest

from llmstep.http import fair_queue
from llmstep.http.answers import RefusedError
from llmstep.http.fair_queue import FairQueue

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Line:
    """Requests that keep a record of the order of their turns, and end when they are told to."""

    def __init__(self, admission: FairQueue) -> None:
        self.admission = admission
        self.order: list[str] = []
        self.at_work: Counter[str] = Counter()
        self.ends: asyncio.Queue[None] = asyncio.Queue()

    def come(self, client: str, number: int = 1) -> list[asyncio.Task[None]]:
        return [asyncio.ensure_future(self._ask(client)) for _ in range(number)]

    async def _ask(self, client: str) -> None:
        async with self.admission.turn(client):
            self.order.append(client)
            self.at_work[client] += 1
            await self.ends.get()
            self.at_work[client] -= 1

    async def end(self, number: int = 1) -> None:
        for _ in range(number):
            self.ends.put_nowait(None)
            await settled()


async def settled() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_after_the_other() -> None:
    line = Line(FairQueue())
    tasks = line.come("a", 3)
    await settled()
    assert (line.order, line.admission.running, line.admission.waiting) == (["a"], 1, 2)
    await line.end(3)
    await asyncio.gather(*tasks)
    assert (line.admission.running, line.admission.waiting) == (0, 0)


async def test_fifty_requests_delay_another_clients_by_no_more_than_one() -> None:
    line = Line(FairQueue())
    many = line.come("many", 50)
    await settled()
    await line.end(3)
    one = line.come("one")
    await settled()
    before = len(line.order)  # the one in work is the last of them
    await line.end()
    assert line.order[before:] == ["one"]
    await line.end(60)
    await asyncio.gather(*many, *one)
    assert line.order.count("many") == 50


async def test_who_was_served_least_recently_comes_next() -> None:
    line = Line(FairQueue())
    tasks = [*line.come("a", 4), *line.come("b", 3), *line.come("c", 1)]
    await settled()
    await line.end(8)
    await asyncio.gather(*tasks)
    assert line.order == ["a", "b", "c", "a", "b", "a", "b", "a"]


async def test_who_asks_again_and_again_gets_no_more_than_who_sends_all_at_once() -> None:
    """Each of three has a request waiting all the time; the first sends the next one when it has its answer."""
    line = Line(FairQueue())
    tasks = [*line.come("b", 20), *line.come("c", 20)]
    again = line.come("a")
    await settled()
    while len(line.order) < 30:
        await line.end()
        if again[-1].done():
            again += line.come("a")
            await settled()
    counts = [line.order.count(client) for client in "abc"]
    assert max(counts) - min(counts) <= 1
    await line.end(60)
    await asyncio.gather(*tasks, *again)


@pytest.mark.parametrize("places", [2, 4])
async def test_several_at_once_are_shared_out(places: int) -> None:
    line = Line(FairQueue(lambda: places))
    tasks = line.come("a", 20)
    await settled()
    assert line.order == ["a"] * places
    tasks += line.come("b", 20)
    await line.end()
    assert line.order[-1] == "b"
    await line.end(places)
    assert line.at_work == {"a": places // 2, "b": places // 2}
    before = len(line.order)
    await line.end(4 * places)
    assert line.order[before:].count("a") == 2 * places
    await line.end(60)
    await asyncio.gather(*tasks)


async def test_more_places_are_used_at_once() -> None:
    places = itertools.chain([1, 1], itertools.repeat(3))
    line = Line(FairQueue(lambda: next(places)))
    tasks = line.come("a", 4)
    await settled()
    assert line.admission.running == 3
    await line.end(4)
    await asyncio.gather(*tasks)


async def test_who_goes_while_waiting_leaves_no_gap() -> None:
    line = Line(FairQueue())
    tasks = [*line.come("a", 2), *line.come("b", 2)]
    await settled()
    tasks[1].cancel()
    tasks[2].cancel()
    await settled()
    assert (line.admission.running, line.admission.waiting) == (1, 1)
    await line.end(2)
    assert line.order == ["a", "b"]
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (line.admission.running, line.admission.waiting) == (0, 0)


async def test_who_goes_just_when_its_turn_comes_passes_it_on() -> None:
    line = Line(FairQueue())
    tasks = line.come("a", 3)
    await settled()
    line.ends.put_nowait(None)
    while line.admission.waiting == 2:  # noqa: ASYNC110 - to the very step
        await asyncio.sleep(0)
    tasks[1].cancel()  # its turn was given, and it does not know yet
    await settled()
    assert (line.admission.running, line.admission.waiting) == (1, 0)
    await line.end()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert line.order == ["a", "a"]
    assert line.admission.running == 0


async def test_a_failure_gives_the_turn_back() -> None:
    admission = FairQueue()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with admission.turn("a"):
                raise ZeroDivisionError
    assert admission.running == 0


async def test_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_queue, "MAX_WAITING", 5)
    monkeypatch.setattr(fair_queue, "MAX_PER_CLIENT", 3)
    admission = FairQueue(seconds=lambda: 2.0)
    line = Line(admission)
    tasks = line.come("a", 4)
    await settled()
    with pytest.raises(RefusedError) as caught:
        async with admission.turn("a"):
            pass
    assert (caught.value.status, caught.value.message) == (429, "3 of your requests wait already.")
    assert admission.retry_after == 8  # four times two seconds, and the next whole one
    tasks += line.come("b", 2)
    await settled()
    with pytest.raises(RefusedError) as caught:
        async with admission.turn("c"):
            pass
    assert (caught.value.status, caught.value.message) == (429, "5 requests wait already.")
    await line.end(6)
    await asyncio.gather(*tasks)
    assert (admission.running, admission.waiting) == (0, 0)
