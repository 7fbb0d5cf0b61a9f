"""The queue: order, sharing, cancellation, limits, idleness. No model is needed for that."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import CancelledError as FutureCancelledError
from typing import Any

import pytest

from llmstep.engine.worker import Job, Worker
from llmstep.errors import BusyError

from .gates import LONG, Gate


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
    assert gate.goes_on()
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


def idle_time_passes(seconds: float) -> None:
    """As long as another worker takes to be idle."""
    over = threading.Event()
    another = Worker(idle_seconds=seconds, on_idle=over.set)
    another.submit("a", lambda _: None).result(LONG)
    assert over.wait(LONG)
    another.close(LONG)


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
            idle_time_passes(0.02)
            busy.clear()

        worker.submit("a", work).result(LONG)
        assert idle.acquire(timeout=LONG)
        idle_time_passes(0.02)
        assert not idle.acquire(blocking=False)  # not again while nothing happens
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
        idle_time_passes(0.02)
        assert not idle.is_set()
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
