"""The queue: order, sharing, cancellation, limits, idleness. No model is needed for that."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import weakref
from concurrent.futures import CancelledError as FutureCancelledError
from typing import TYPE_CHECKING, Any

import pytest

from llmstep.engine.worker import Job, Worker
from llmstep.errors import BusyError, CancelledError
from llmstep.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = 20.0
"""Seconds after which a wait in a test has failed."""


class Gate:
    """Work that starts, waits to be let through or cancelled, and counts how often it ran."""

    def __init__(self, result: Any = "done") -> None:
        self.result = result
        self.runs = 0
        self.started = threading.Event()
        self.open = threading.Event()
        self.ended = threading.Event()

    def __call__(self, job: Job[Any]) -> Any:
        self.runs += 1
        self.started.set()
        job.progress(Progress("generate", "waiting"))
        try:
            while not self.open.wait(0.001):
                if job.cancel.requested:
                    raise CancelledError("stopped")
            return self.result
        finally:
            self.ended.set()


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(limit=3)
    yield worker
    worker.close(LONG)


def test_jobs_run_one_at_a_time_in_order(worker: Worker) -> None:
    order: list[int] = []
    threads: set[int] = set()

    def work(number: int) -> Any:
        def run(_: Job[int]) -> int:
            threads.add(threading.get_ident())
            order.append(number)
            return number

        return run

    futures = [worker.submit(number, work(number)) for number in range(3)]
    assert [future.result(LONG) for future in futures] == [0, 1, 2]
    assert order == [0, 1, 2]
    assert len(threads) == 1
    assert threading.get_ident() not in threads


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
def test_other_threads_have_the_processor_first(worker: Worker) -> None:
    """The model's thread and those that it starts are nicer than the process; its other threads stay as they are."""

    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def work(_: Job[Any]) -> list[int]:
        found = [niceness()]
        helper = threading.Thread(target=lambda: found.append(niceness()))
        helper.start()
        helper.join()
        return found

    before = niceness()
    assert worker.submit("a", work).result(LONG) == [min(19, before + 5)] * 2
    assert niceness() == before


def test_identical_requests_share_one_run(worker: Worker) -> None:
    gate = Gate("answer")
    heard: list[list[str]] = [[], []]
    first = worker.submit("key", gate, lambda progress: heard[0].append(progress.message))
    assert gate.started.wait(LONG)
    second = worker.submit("key", Gate("another"), lambda progress: heard[1].append(progress.message))
    gate.open.set()
    assert first.result(LONG) == second.result(LONG) == "answer"
    assert gate.runs == 1
    assert heard[0] == ["waiting"]
    # What is finished is not in flight: the same request later is run anew.
    again = Gate("anew")
    again.open.set()
    assert worker.submit("key", again).result(LONG) == "anew"


def test_cancelling_one_of_two_leaves_the_other(worker: Worker) -> None:
    gate = Gate()
    first, second = worker.submit("key", gate), worker.submit("key", gate)
    assert gate.started.wait(LONG)
    assert first.cancel()
    assert not gate.ended.wait(0.05)
    gate.open.set()
    assert second.result(LONG) == "done"
    with pytest.raises(FutureCancelledError):
        first.result(LONG)


def test_the_work_stops_when_all_callers_have_gone(worker: Worker) -> None:
    gate = Gate()
    first, second = worker.submit("key", gate), worker.submit("key", gate)
    assert gate.started.wait(LONG)
    first.cancel()
    second.cancel()
    assert gate.ended.wait(LONG)
    after = Gate("next")
    after.open.set()
    assert worker.submit("other", after).result(LONG) == "next"


def test_a_request_does_not_join_work_that_is_being_stopped(worker: Worker) -> None:
    stubborn = threading.Event()
    started = threading.Event()

    def slow_to_stop(_: Job[str]) -> str:
        started.set()
        stubborn.wait(LONG)
        return "old"

    first = worker.submit("key", slow_to_stop)
    assert started.wait(LONG)
    first.cancel()
    gate = Gate("new")
    gate.open.set()
    second = worker.submit("key", gate)
    stubborn.set()
    assert second.result(LONG) == "new"


def test_waiting_work_that_nobody_wants_is_never_run(worker: Worker) -> None:
    gate, unwanted = Gate(), Gate()
    first = worker.submit("first", gate)
    assert gate.started.wait(LONG)
    waiting = worker.submit("second", unwanted)
    assert worker.queued == 1
    waiting.cancel()
    assert worker.queued == 0
    gate.open.set()
    assert first.result(LONG) == "done"
    last = Gate("last")
    last.open.set()
    assert worker.submit("third", last).result(LONG) == "last"
    assert unwanted.runs == 0


def test_the_queue_is_bounded(worker: Worker) -> None:
    gate = Gate()
    running = worker.submit("running", gate)
    assert gate.started.wait(LONG)
    waiting = [worker.submit(number, gate) for number in range(3)]
    with pytest.raises(BusyError) as caught:
        worker.submit("one too many", gate)
    assert caught.value.message == "3 requests wait for the model already."
    assert caught.value.hint
    assert caught.value.retryable
    joined = worker.submit(0, gate)  # joining needs no room
    waiting[1].cancel()
    fits = worker.submit("now it fits", gate)
    gate.open.set()
    for future in (running, waiting[0], waiting[2], joined, fits):
        assert future.result(LONG) == "done"


def test_an_error_reaches_every_caller_and_the_worker_lives_on(worker: Worker) -> None:
    started = threading.Event()
    go = threading.Event()

    def fail(_: Job[None]) -> None:
        started.set()
        go.wait(LONG)
        raise ValueError("kaput")

    first, second = worker.submit("key", fail), worker.submit("key", fail)
    assert started.wait(LONG)
    go.set()
    for future in (first, second):
        with pytest.raises(ValueError, match="kaput"):
            future.result(LONG)
    gate = Gate()
    gate.open.set()
    assert worker.submit("key", gate).result(LONG) == "done"


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

    future = worker.submit("key", fail)
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
        worker.submit("key", fail).result(LONG)


def test_cancelling_is_not_logged_as_a_failure(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    future = worker.submit("key", gate)
    assert gate.started.wait(LONG)
    future.cancel()
    assert gate.ended.wait(LONG)
    worker.close(LONG)
    assert not caplog.records


async def test_from_asyncio_cancelling_the_task_stops_the_work(worker: Worker) -> None:
    gate = Gate()

    async def ask() -> Any:
        return await asyncio.wrap_future(worker.submit("key", gate))

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
            answers[number] = await asyncio.wrap_future(worker.submit(number, gate))

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
        waiting = asyncio.ensure_future(asyncio.wrap_future(worker.submit("key", gate)))
        await asyncio.to_thread(gate.started.wait, LONG)
        asyncio.get_running_loop().call_soon(waiting.cancel)

    asyncio.run(ask())
    gate.open.set()
    assert gate.ended.wait(LONG)
    after = Gate("alive")
    after.open.set()
    assert worker.submit("other", after).result(LONG) == "alive"


def test_close_cancels_what_runs_and_what_waits() -> None:
    worker = Worker()
    gate, waiting_gate = Gate(), Gate()
    running = worker.submit("running", gate)
    assert gate.started.wait(LONG)
    waiting = worker.submit("waiting", waiting_gate)
    worker.close(LONG)
    for future in (running, waiting):
        with pytest.raises(CancelledError):
            future.result(LONG)
    assert waiting_gate.runs == 0
    with pytest.raises(CancelledError) as caught:
        worker.submit("late", gate)
    assert caught.value.message == "The model's engine was closed."
    assert not [thread for thread in threading.enumerate() if thread is worker._thread]


def test_closing_a_worker_that_never_worked() -> None:
    Worker().close()


def test_idleness_is_told_once_and_never_under_work() -> None:
    idle = threading.Semaphore(0)
    busy = threading.Event()
    seen_busy: list[bool] = []

    def on_idle() -> None:
        seen_busy.append(busy.is_set())
        idle.release()

    worker = Worker(idle_seconds=0.02, on_idle=on_idle)
    try:

        def work(_: Job[None]) -> None:
            busy.set()
            time.sleep(0.1)  # longer than the limit
            busy.clear()

        worker.submit("a", work).result(LONG)
        assert idle.acquire(timeout=LONG)
        assert not idle.acquire(timeout=0.1)  # not again while nothing happens
        worker.submit("b", work).result(LONG)
        assert idle.acquire(timeout=LONG)
        assert seen_busy == [False, False]
    finally:
        worker.close(LONG)


def test_idleness_can_be_switched_on_and_off_while_waiting() -> None:
    idle = threading.Event()
    worker = Worker(on_idle=idle.set)
    try:
        worker.submit("a", lambda _: None).result(LONG)
        assert not idle.wait(0.05)
        worker.idle_seconds = 0.01
        assert idle.wait(LONG)
    finally:
        worker.close(LONG)


def test_an_error_in_idle_work_does_not_end_the_worker() -> None:
    failed = threading.Event()

    def on_idle() -> None:
        failed.set()
        raise RuntimeError("idle work")

    worker = Worker(idle_seconds=0.01, on_idle=on_idle)
    try:
        worker.submit("a", lambda _: None).result(LONG)
        assert failed.wait(LONG)
        assert worker.submit("b", lambda _: "alive").result(LONG) == "alive"
    finally:
        worker.close(LONG)


def test_changes_of_the_queue_are_told() -> None:
    lengths: list[int] = []
    worker = Worker(on_change=lambda: lengths.append(worker.queued))
    try:
        gate = Gate()
        first = worker.submit("a", gate)
        assert gate.started.wait(LONG)
        second = worker.submit("b", gate)
        assert lengths[-1] == 1
        gate.open.set()
        first.result(LONG)
        second.result(LONG)
        assert lengths[-1] == 0
    finally:
        worker.close(LONG)
