"""Several requests for one engine: what they share, how they wait, and how they are cancelled."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import attrs
import pytest
from waiting import until

from llmstep.engine.engine import Engine
from llmstep.errors import (
    BusyError,
    CancelledError,
)
from llmstep.settings import Settings

from .real_engines import ASK, ENDLESS, FEW, LONG, held, hook, neox

if TYPE_CHECKING:
    from pathlib import Path

    from .real_engines import Models


async def test_identical_requests_run_the_model_once(engine: Engine, models: Models) -> None:
    steps = await held(engine, models)
    tasks = [asyncio.create_task(engine.generate(ASK, FEW)) for _ in range(3)]
    await steps.reached()
    late = asyncio.create_task(engine.generate(ASK, FEW))
    another = asyncio.create_task(engine.generate(ASK, attrs.evolve(FEW, seed=9)))
    await until(lambda: engine.status.queued == 1)  # the other one, which comes behind the late one
    another.cancel()
    steps.go_on.set()
    answers = await asyncio.gather(*tasks, late)
    assert len({tuple(answer.candidates) for answer in answers}) == 1
    assert steps.count <= FEW.max_new_tokens
    assert not any(answer.cached for answer in answers)


async def test_cancelling_one_of_two_leaves_the_other(engine: Engine, models: Models) -> None:
    steps = await held(engine, models)
    first, second = (asyncio.create_task(engine.generate(ASK, FEW)) for _ in range(2))
    await steps.reached()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    steps.go_on.set()
    answer = await second
    assert answer.drawn == 4
    assert steps.count > 3


async def test_cancelling_stops_the_model_within_one_step(engine: Engine, models: Models) -> None:
    steps = await held(engine, models)
    task = asyncio.create_task(engine.generate(ASK, ENDLESS))
    await steps.reached()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    steps.go_on.set()
    await until(lambda: engine.status.state == "idle")
    assert steps.count <= 4
    assert (await engine.generate(ASK, FEW)).drawn == 4


async def test_a_cancelled_answer_is_not_remembered(engine: Engine, models: Models) -> None:
    steps = await held(engine, models)
    task = asyncio.create_task(engine.generate(ASK, FEW))
    await steps.reached()
    task.cancel()
    steps.remove()
    await asyncio.gather(task, return_exceptions=True)
    answer = await engine.generate(ASK, FEW)
    assert not answer.cached
    assert answer.drawn == 4


async def test_what_waits_and_is_cancelled_never_runs(engine: Engine, models: Models) -> None:
    steps = await held(engine, models)
    running = asyncio.create_task(engine.generate(ASK, ENDLESS))
    await steps.reached()
    waiting = asyncio.create_task(engine.generate(ASK, FEW))
    await until(lambda: engine.status.queued == 1)
    waiting.cancel()
    await until(lambda: engine.status.queued == 0)
    running.cancel()
    await asyncio.wait({running}, timeout=LONG)  # before the model goes on, so that it sees this in its next pass
    steps.go_on.set()
    await until(lambda: engine.status.state == "idle")
    assert steps.count <= 4


async def test_too_many_requests(engine: Engine, models: Models) -> None:
    steps = await held(engine, models)
    running = asyncio.create_task(engine.generate(ASK, ENDLESS))
    await steps.reached()
    many = [asyncio.create_task(engine.generate(ASK, attrs.evolve(FEW, seed=seed))) for seed in range(40)]
    done, _ = await asyncio.wait(many, timeout=LONG, return_when=asyncio.FIRST_EXCEPTION)
    await until(lambda: engine.status.queued == 32)
    assert isinstance(next(iter(done)).exception(), BusyError)
    for task in (running, *many):
        task.cancel()
    steps.remove()
    errors = await asyncio.gather(running, *many, return_exceptions=True)
    assert sum(isinstance(error, BusyError) for error in errors) == 8


async def test_the_loop_goes_on_while_the_model_runs(engine: Engine, models: Models) -> None:
    """The model waits in every step until the event loop has made a turn; blocked, it would wait in vain."""
    await engine.load()
    turn = threading.Semaphore(0)

    def wait_for_a_turn() -> None:
        assert turn.acquire(timeout=LONG)

    async def turns() -> None:
        while True:
            turn.release()
            await asyncio.sleep(0)

    remove = hook(models.latest, wait_for_a_turn)
    ticking = asyncio.create_task(turns())
    try:
        answer = await engine.generate(ASK, FEW)
    finally:
        ticking.cancel()
        remove()
    assert answer.drawn == 4


async def test_close(models: Models, tiny_models: dict[str, Path]) -> None:
    engine = Engine(neox(tiny_models))
    before = set(threading.enumerate())
    steps = await held(engine, models)
    running = asyncio.create_task(engine.generate(ASK, ENDLESS))
    await steps.reached()
    waiting = asyncio.create_task(engine.generate(ASK, FEW))
    await until(lambda: engine.status.queued == 1)
    closing = asyncio.create_task(engine.close())
    await until(waiting.done)  # which closing ends at once
    steps.remove()
    del steps
    await closing
    for task in (running, waiting):
        with pytest.raises(CancelledError):
            await task
    with pytest.raises(CancelledError) as caught:
        await engine.generate(ASK, FEW)
    assert caught.value.message == "The model's engine was closed."
    await until(lambda: models.alive() == [])
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("llmstep")]
    await engine.close()  # once more does no harm


class _Counted:
    """A queue whose length changes while one thread is about to tell it."""

    def __init__(self) -> None:
        self.length = 1
        self.read = threading.Event()
        self.go_on = threading.Event()

    @property
    def queued(self) -> int:
        length = self.length
        if not self.read.is_set():
            self.read.set()
            self.go_on.wait(0.3)
        return length


def test_the_last_number_of_waiting_requests_is_the_one_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(Settings())
    queue = _Counted()
    monkeypatch.setattr(engine, "_worker", queue)
    first = threading.Thread(target=engine._publish)
    first.start()
    queue.read.wait()
    queue.length = 0
    engine._publish()
    queue.go_on.set()
    first.join()
    assert engine.status.queued == 0
