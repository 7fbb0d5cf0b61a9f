"""How many people one model holds: a simulation from measured service times.

Each person thinks, asks, waits for the answer, and thinks again; thinking times are exponential. Requests that find no
place wait in one queue, in the order they came (nobody has two at a time, so that this is the fair queue of
`llmstep serve`). A replica works at up to `together` requests; each of `n` that it works at goes on at the speed
`1 / (1 + slowdown * (n - 1))`: 0 is as if each were alone, 1 as if they shared one processor.

What is not in it: the network, Lean's checks (on everybody's own machine), answers from memory, cancelled requests, and
people who ask more often when answers are quick.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REQUESTS = 20_000
"""Answers that are counted for one number of people; as many as a tenth of them come before and do not count."""
MAX_USERS = 100_000


@attrs.frozen(kw_only=True)
class Setup:
    """What answers."""

    name: str
    seconds: Sequence[float]
    """Measured times of a request that is alone; each request draws one of them."""
    replicas: int = 1
    together: int = 1
    """Most requests that a replica works at at a time."""
    slowdown: float = 1.0

    @property
    def mean(self) -> float:
        return math.fsum(self.seconds) / len(self.seconds)


@attrs.frozen
class Load:
    """What a number of people, or a rate, meets."""

    mean: float
    """Mean time from asking to the answer, in seconds."""
    p50: float
    p95: float
    busy: float
    """Share of the time that a replica has something to do."""


@attrs.frozen
class Capacity:
    """The most people that one set-up holds."""

    setup: Setup
    users: int
    """0 when one alone waits too long."""
    load: Load
    """With so many people, or with one."""


def capacity(setup: Setup, *, think: float, limit: float, requests: int = REQUESTS, seed: int = 1) -> Capacity:
    """The most people for whom 95 % of the answers come within a limit.

    Args:
        think: Mean seconds between an answer and the next request of one person.
        limit: Seconds.
        requests: Answers simulated for each number of people.
        seed: Of the random numbers.
    """
    loads: dict[int, Load] = {}

    def holds(users: int) -> bool:
        loads[users] = closed(setup, users, think=think, requests=requests, seed=seed)
        return loads[users].p95 <= limit

    if not holds(1):
        return Capacity(setup, 0, loads[1])
    low, high = 1, 2
    while high <= MAX_USERS and holds(high):
        low, high = high, 2 * high
    while high - low > max(1, low // 100):  # a difference of a hundredth lies within the noise
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return Capacity(setup, low, loads[low])


def closed(setup: Setup, users: int, *, think: float, requests: int = REQUESTS, seed: int = 1) -> Load:
    """What so many people meet."""
    draw = random.Random(seed)
    return _run(setup, ((draw.expovariate(1 / think)) for _ in range(users)), draw, requests, think)


def opened(setup: Setup, rate: float, *, requests: int = REQUESTS, seed: int = 1) -> Load:
    """What requests meet that come independently, `rate` of them a second: the queue of the textbooks."""
    draw = random.Random(seed)
    times = itertools.accumulate(draw.expovariate(rate) for _ in itertools.count())
    return _run(setup, times, draw, requests, None)


@attrs.define
class _Replica:
    """One copy of the model, and what it works at."""

    left: dict[int, float] = attrs.field(factory=dict)
    """Seconds that each request still needs, alone."""
    at: float = 0.0
    """When that was."""
    version: int = 0
    busy: float = 0.0

    def speed(self, slowdown: float) -> float:
        return 1 / (1 + slowdown * (len(self.left) - 1))

    def go_on(self, now: float, slowdown: float) -> None:
        """Work until `now`."""
        if self.left:
            done = (now - self.at) * self.speed(slowdown)
            self.left = {number: left - done for number, left in self.left.items()}
            self.busy += now - self.at
        self.at = now


def _run(setup: Setup, arrivals: Iterator[float], draw: random.Random, requests: int, think: float | None) -> Load:
    """Simulate events until enough answers have come.

    Args:
        arrivals: Times of the requests, ascending; with `think`, the first one of each person, in any order.
    """
    replicas = [_Replica() for _ in range(setup.replicas)]
    queue: deque[tuple[int, float]] = deque()
    asked: dict[int, float] = {}
    numbers = itertools.count()
    events: list[tuple[float, int, int, int]] = []  # time, tie-break, replica or -1 for a request, version

    def announce(time: float, replica: int = -1, version: int = 0) -> None:
        heapq.heappush(events, (time, next(numbers), replica, version))

    def plan(index: int, now: float) -> None:
        """Say when the replica will have its next answer, as things are now."""
        replica = replicas[index]
        replica.version += 1
        if replica.left:
            announce(now + min(replica.left.values()) / replica.speed(setup.slowdown), index, replica.version)

    def place(number: int, seconds: float, now: float) -> bool:
        index = min(range(len(replicas)), key=lambda each: len(replicas[each].left))
        replica = replicas[index]
        if len(replica.left) >= setup.together:
            return False
        replica.go_on(now, setup.slowdown)
        replica.left[number] = seconds
        plan(index, now)
        return True

    if think is None:
        announce(next(arrivals))
    else:
        for first in arrivals:
            announce(first)
    times: list[float] = []
    skipped, began, now = requests // 10, 0.0, 0.0
    request_numbers = itertools.count()
    while len(times) < requests:
        now, _, index, version = heapq.heappop(events)
        if index < 0:
            number, seconds = next(request_numbers), draw.choice(setup.seconds)
            asked[number] = now
            if not place(number, seconds, now):
                queue.append((number, seconds))
            if think is None:
                announce(next(arrivals))
            continue
        replica = replicas[index]
        if version != replica.version:
            continue  # something came in between
        replica.go_on(now, setup.slowdown)
        number = min(replica.left, key=lambda each: replica.left[each])
        del replica.left[number]
        waited = now - asked.pop(number)
        if skipped:
            skipped -= 1
            if not skipped:
                began = now
                for each in replicas:
                    each.busy = each.at - now if each.left else 0.0
        else:
            times.append(waited)
        if think is not None:
            announce(now + draw.expovariate(1 / think))
        if queue:
            number, seconds = queue.popleft()
            replica.left[number] = seconds
        plan(index, now)
    times.sort()
    for replica in replicas:
        replica.go_on(now, setup.slowdown)
    busy = math.fsum(replica.busy for replica in replicas) / len(replicas) / (now - began)
    return Load(math.fsum(times) / len(times), times[len(times) // 2], times[int(0.95 * len(times))], busy)
