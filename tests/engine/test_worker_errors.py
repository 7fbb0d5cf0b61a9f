"""The queue when work fails, when loops and threads end, and when it is closed."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest

from llmstep.engine.worker import Job, Worker
from llmstep.errors import CancelledError

from .gates import LONG, Gate


def test_an_error_reaches_the_caller_and_the_worker_lives_on(worker: Worker) -> None:
    def fail(_: Job[None]) -> None:
        raise ValueError("kaput")

    with pytest.raises(ValueError, match="kaput"):
        worker.submit(fail).result(LONG)
    gate = Gate()
    gate.open.set()
    assert worker.submit(gate).result(LONG) == "done"


def test_an_error_that_is_kept_does_not_keep_the_model(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    """Neither as a local variable nor in a closure; the log has the lines instead."""

    class Model:
        pass

    alive: list[weakref.ref[Model]] = []

    def fail(_: Job[None]) -> None:
        model = Model()
        alive.append(weakref.ref(model))

        def inner() -> None:
            raise KeyError("inner", type(model).__name__)

        try:
            inner()
        except KeyError as error:
            raise ValueError("kaput") from error

    future = worker.submit(fail)
    with pytest.raises(ValueError, match="kaput") as caught:
        future.result(LONG)
    gc.collect()
    assert caught.value.__cause__ is not None
    assert alive[0]() is None
    assert "in inner" in caplog.text
    assert "ValueError: kaput" in caplog.text


def test_a_circular_chain_of_errors_is_no_trap(worker: Worker) -> None:
    def fail(_: Job[None]) -> None:
        error = ValueError("kaput")
        error.__cause__ = KeyError("inner")
        error.__cause__.__cause__ = error
        raise error

    with pytest.raises(ValueError, match="kaput"):
        worker.submit(fail).result(LONG)


def test_cancelling_is_not_logged_as_a_failure(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    future = worker.submit(gate)
    assert gate.started.wait(LONG)
    future.cancel()
    assert gate.ended.wait(LONG)
    worker.close(LONG)
    assert not caplog.records


async def test_from_asyncio_cancelling_the_task_stops_the_work(worker: Worker) -> None:
    gate = Gate()

    async def ask() -> Any:
        return await asyncio.wrap_future(worker.submit(gate))

    task = asyncio.create_task(ask())
    await asyncio.to_thread(gate.started.wait, LONG)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(gate.ended.wait, LONG)


def test_several_loops_in_several_threads(worker: Worker) -> None:
    answers: dict[int, Any] = {}

    def in_thread(number: int) -> None:
        async def ask() -> None:
            gate = Gate(number)
            gate.open.set()
            answers[number] = await asyncio.wrap_future(worker.submit(gate))

        asyncio.run(ask())

    threads = [threading.Thread(target=in_thread, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert answers == {0: 0, 1: 1, 2: 2}


def test_a_loop_that_is_gone_harms_nobody(worker: Worker) -> None:
    gate = Gate()

    async def ask() -> None:
        waiting = asyncio.ensure_future(asyncio.wrap_future(worker.submit(gate)))
        await asyncio.to_thread(gate.started.wait, LONG)
        asyncio.get_running_loop().call_soon(waiting.cancel)

    asyncio.run(ask())
    gate.open.set()
    assert gate.ended.wait(LONG)
    after = Gate("alive")
    after.open.set()
    assert worker.submit(after).result(LONG) == "alive"


def test_close_cancels_what_runs_and_what_waits() -> None:
    before = set(threading.enumerate())
    worker = Worker()
    gate, waiting_gate = Gate(), Gate()
    running = worker.submit(gate)
    assert gate.started.wait(LONG)
    waiting = worker.submit(waiting_gate)
    worker.close(LONG)
    for future in (running, waiting):
        with pytest.raises(CancelledError):
            future.result(LONG)
    assert waiting_gate.runs == 0
    with pytest.raises(CancelledError) as caught:
        worker.submit(gate)
    assert caught.value.message == "The model's engine was closed."
    assert set(threading.enumerate()) <= before


def test_closing_a_worker_that_never_worked() -> None:
    Worker().close()
