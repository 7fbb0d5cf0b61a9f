"""People who ask a running server: what each got, and after how long.

Everybody has a connection and a name (`X-Llmstep-Client`) of their own. With `closed` arrivals a person thinks, asks,
waits for the answer and thinks again; with `opened` ones requests come at a rate, whatever becomes of those before.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import random
import re
import ssl
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import attrs
import httpx

from llmstep.errors import LlmstepError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

STATE = "p q : Prop\nhp : p\nhq : q\nn{number} : Nat\n⊢ p ∧ q"
_TRIES = 4
_new = itertools.count(1_000_000)
"""Numbers of goals that no crowd of this process has asked for."""


@attrs.frozen
class Got:
    """What came of one request."""

    client: str
    began: float
    """Seconds after the start."""
    seconds: float
    status: int
    """Of the last try; 0 where the connection broke."""
    model: str = ""
    """The name that the answer has."""
    tries: int = 1


@attrs.define
class Questions:
    """Goals to ask for: new ones; with a probability one that the same person has asked, or one that all ask for."""

    again: float = 0.0
    shared: float = 0.0
    few: int = 20
    """Goals that all ask for."""
    draw: random.Random = attrs.field(factory=lambda: random.Random(1))
    _asked: dict[str, list[int]] = attrs.field(factory=dict)

    def next(self, client: str) -> str:
        own, chance = self._asked.setdefault(client, []), self.draw.random()
        if own and chance < self.again:
            number = self.draw.choice(own[-5:])
        elif chance < self.again + self.shared:
            number = self.draw.randrange(self.few)
        else:
            number = next(_new)
        own.append(number)
        return STATE.format(number=number)


@attrs.define
class Crowd:
    """Asks a server, and keeps what came.

    Args:
        url: Address of the server.
        patient: Whether a request is made again, as `docs/scaling.md` advises, when the server is busy or fails.
        verify: File of certificates to believe.
    """

    url: str
    questions: Questions = attrs.field(factory=Questions)
    patient: bool = False
    verify: str | None = None
    got: list[Got] = attrs.field(factory=list)
    started: float = attrs.field(factory=time.perf_counter)

    async def closed(self, people: int, think: float, seconds: float, name: str = "person") -> None:
        """So many people for so long; thinking times are exponential."""
        await asyncio.gather(*(self._person(f"{name} {each}", think, seconds) for each in range(people)))

    async def opened(self, rate: float, seconds: float, people: int = 50) -> None:
        """Requests that come independently, from so many people in turn."""
        until = time.perf_counter() + seconds
        asked: list[asyncio.Task[Got]] = []
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(self.client()) for _ in range(people)]
            while (pause := self.questions.draw.expovariate(rate)) + time.perf_counter() < until:
                await asyncio.sleep(pause)
                person = len(asked) % people
                asked.append(asyncio.create_task(self.ask(clients[person], f"person {person}")))
            await asyncio.gather(*asked)

    async def flood(self, requests: int, seconds: float, name: str = "flood") -> None:
        """One client that always has so many requests under way."""

        async def again(client: httpx.AsyncClient) -> None:
            while time.perf_counter() < until:
                await self.ask(client, name)

        until = time.perf_counter() + seconds
        async with self.client(requests) as client:
            await asyncio.gather(*(again(client) for _ in range(requests)))

    async def ask(self, client: httpx.AsyncClient, name: str) -> Got:
        """One request, with the pauses that the server asks for where it is made again."""
        began, status, model, tries = time.perf_counter(), 0, "", 0
        body = {"tactic_state": self.questions.next(name), "prefix": "", "context": ""}
        while tries < (_TRIES if self.patient else 1):
            tries += 1
            pause = 0.25 * 2**tries
            try:
                answer = await client.post(self.url, json=body, headers={"X-Llmstep-Client": name})
                status, model = answer.status_code, answer.json().get("model", "") if answer.is_success else ""
                pause = float(answer.headers.get("retry-after", pause))
            except (httpx.HTTPError, ValueError):
                status = 0
            if status == 200 or 400 <= status < 429:
                break
            if self.patient:
                await asyncio.sleep(pause)
        now = time.perf_counter()
        self.got.append(Got(name, began - self.started, now - began, status, model, tries))
        return self.got[-1]

    async def _person(self, name: str, think: float, seconds: float) -> None:
        until = time.perf_counter() + seconds
        async with self.client() as client:
            while (pause := self.questions.draw.expovariate(1 / think)) + time.perf_counter() < until:
                await asyncio.sleep(pause)
                await self.ask(client, name)

    def client(self, connections: int = 4) -> httpx.AsyncClient:
        """One person's program."""
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        context = ssl.create_default_context(cafile=self.verify) if self.verify else False
        return httpx.AsyncClient(trust_env=False, timeout=120, limits=limits, verify=context)


@attrs.frozen
class Summary:
    """Of requests; times in seconds, of those that were answered."""

    statuses: dict[int, int]
    rate: float
    """Answers in a second."""
    mean: float
    p50: float
    p95: float
    slowest: float

    @classmethod
    def of(cls, got: Sequence[Got]) -> Summary:
        """
        Args:
            got: At least one answer among them.
        """
        times = sorted(each.seconds for each in got if each.status == 200)
        spent = max(each.began + each.seconds for each in got) - min(each.began for each in got)
        statuses = dict(sorted(Counter(each.status for each in got).items()))
        p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
        mean = math.fsum(times) / len(times)
        return cls(statuses, len(times) / spent, mean, times[len(times) // 2], p95, times[-1])


@contextlib.asynccontextmanager
async def serving(*command: str) -> AsyncIterator[str]:
    """The address of a server, which runs as long as the block: `python -m` with these words.

    Raises:
        LlmstepError: It does not start.
    """
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert server.stdout
    try:
        while True:
            line = (await server.stdout.readline()).decode()
            if not line:
                raise LlmstepError(f"`python -m {' '.join(command)}` did not start.", hint="Run it by itself.")
            if found := re.search(r"http://\S+", line):
                break
        yield found.group()
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()
