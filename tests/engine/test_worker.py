"""The queue: order, cancellation, limits. No model is needed for that."""

from __future__ import annotations

import os
import sys
import threading
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

    futures = [worker.submit(work(number)) for number in range(3)]
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
    assert worker.submit(work).result(LONG) == [min(19, before + 5)] * 2
    assert niceness() == before


def test_the_work_stops_when_nobody_waits_for_it(worker: Worker) -> None:
    gate = Gate()
    heard: list[str] = []
    future = worker.submit(gate, lambda progress: heard.append(progress.message))
    assert gate.started.wait(LONG)
    assert gate.goes_on()
    future.cancel()
    assert gate.ended.wait(LONG)
    after = Gate("next")
    after.open.set()
    assert worker.submit(after).result(LONG) == "next"
    assert heard == ["waiting"]


def test_waiting_work_that_nobody_wants_is_never_run(worker: Worker) -> None:
    gate, unwanted = Gate(), Gate()
    first = worker.submit(gate)
    assert gate.started.wait(LONG)
    waiting = worker.submit(unwanted)
    assert worker.queued == 1
    waiting.cancel()
    assert worker.queued == 0
    gate.open.set()
    assert first.result(LONG) == "done"
    last = Gate("last")
    last.open.set()
    assert worker.submit(last).result(LONG) == "last"
    assert unwanted.runs == 0


def test_the_queue_is_bounded(worker: Worker) -> None:
    gate = Gate()
    running = worker.submit(gate)
    assert gate.started.wait(LONG)
    waiting = [worker.submit(gate) for number in range(3)]
    with pytest.raises(BusyError) as caught:
        worker.submit(gate)
    assert caught.value.message == "3 requests wait for the model already."
    assert caught.value.hint
    assert caught.value.retryable
    waiting[1].cancel()
    fits = worker.submit(gate)
    gate.open.set()
    for future in (running, waiting[0], waiting[2], fits):
        assert future.result(LONG) == "done"


def test_changes_of_the_queue_are_told() -> None:
    lengths: list[int] = []
    worker = Worker(on_change=lambda: lengths.append(worker.queued))
    try:
        gate = Gate()
        first = worker.submit(gate)
        assert gate.started.wait(LONG)
        second = worker.submit(gate)
        assert lengths[-1] == 1
        gate.open.set()
        first.result(LONG)
        second.result(LONG)
        assert lengths[-1] == 0
    finally:
        worker.close(LONG)
