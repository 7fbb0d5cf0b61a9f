"""nginx and Caddy with the files of `deploy/`, over TLS, before two servers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import time
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio
from waiting import until

from benchmarks.crowd import Crowd, Summary
from benchmarks.proxies import Proxy, proxy, there, two_copies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOAL = "p : Prop\nh : p\n⊢ p"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["nginx", "caddy"])
async def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxy]:
    """A proxy before two servers that take 0.3 s for a request."""
    if not there(request.param):
        pytest.skip(f"{request.param} is not installed")
    async with (
        two_copies("--seconds", "0.3") as copies,
        proxy(request.param, tmp_path_factory.mktemp(request.param), copies) as it,
    ):
        yield it


def client(to: Proxy) -> httpx.AsyncClient:
    context = ssl.create_default_context(cafile=to.root)
    return httpx.AsyncClient(base_url=to.url, verify=context, trust_env=False, timeout=120)


async def test_a_client_stays_at_one_copy(served: Proxy) -> None:
    crowd = Crowd(served.url, verify=served.root)
    of_each: Counter[tuple[str, str]] = Counter()
    for _ in range(5):  # a busy machine takes more than one
        await crowd.closed(12, 0.05, 3)
        assert {each.status for each in crowd.got} == {200}
        of_each = Counter((each.client, each.model) for each in crowd.got)
        if min(of_each.values()) > 1:
            break
    assert len(of_each) == 12  # nobody was at two
    assert len({model for _, model in of_each}) == 2
    assert min(of_each.values()) > 1


async def test_a_stream_passes_as_it_comes(served: Proxy) -> None:
    async with client(served) as http:
        came = []
        async with http.stream("POST", "/candidates", json={"goal": GOAL, "prefix": "a"}) as answer:
            async for line in answer.aiter_lines():
                came.append((time.monotonic(), json.loads(line)))
        assert [next(iter(line)) for _, line in came] == ["progress", "generation"]
        assert came[1][0] - came[0][0] > 0.2
        asked = {"model": "any", "prompt": "a", "n": 3, "stream": True}
        times = []
        async with http.stream("POST", "/v1/completions", json=asked) as answer:
            async for line in answer.aiter_lines():
                if line:
                    times.append(time.monotonic())
        assert times[-1] - times[0] > 0.4


@pytest.mark.skipif(not os.environ.get("LLMSTEP_TEST_DEPLOY"), reason="it takes 75 s: make test-deploy runs it")
async def test_a_generation_of_75_seconds_is_not_cut_off(tmp_path: Path) -> None:
    """nginx would do so after a minute, if it were not told otherwise."""
    (tmp_path / "nginx").mkdir()
    (tmp_path / "caddy").mkdir()
    async with (
        two_copies("--seconds", "75", "--at-once", "4") as copies,
        proxy("nginx", tmp_path / "nginx", copies) as first,
        proxy("caddy", tmp_path / "caddy", (copies[1], copies[0])) as second,
        client(first) as one,
        client(second) as other,
    ):
        body = {"tactic_state": GOAL}
        answers = await asyncio.gather(*(http.post("/", json=body, timeout=200) for http in (one, other, one, other)))
    assert [each.status_code for each in answers] == [200] * 4


async def test_llmsteps_limits_hold_behind_it(served: Proxy) -> None:
    async with client(served) as http:
        long = await http.post("/", json={"tactic_state": GOAL, "context": "x" * (1 << 20)})
        assert long.status_code == 413
        page = await http.post("/", json={"tactic_state": GOAL}, headers={"Origin": "https://evil.example"})
        assert page.status_code == 403


async def stopped(to: Proxy, number: signal.Signals) -> tuple[Crowd, float]:
    """What a crowd gets whose people ask once while one of two copies gets a signal, and when that was."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        copy = (await http.get(f"{to.copies[0]}/health")).json()["pid"]
    crowd = Crowd(to.url, verify=to.root)

    async def stop() -> float:
        await until(lambda: len({each.model for each in crowd.got if each.status == 200}) == 2)
        os.kill(copy, number)
        return time.perf_counter() - crowd.started

    _, when = await asyncio.gather(crowd.closed(12, 0.5, 6), stop())
    return crowd, when


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_nothing_is_lost_when_a_copy_dies_or_ends(kind: str, number: signal.Signals, tmp_path: Path) -> None:
    if not there(kind):
        pytest.skip(f"{kind} is not installed")
    async with two_copies("--seconds", "0.1") as copies, proxy(kind, tmp_path, copies) as it:
        crowd, when = await stopped(it, number)
    print(kind, number.name, Summary.of(crowd.got))
    lost = [each for each in crowd.got if each.status != 200]
    # No proxy asks again where a copy was killed between the head and the body of its answer, which is no time at all.
    assert len(lost) <= (number is signal.SIGKILL)
    assert all(each.began < when for each in lost)
    late = {each.model for each in crowd.got if each.began > when + 2}
    assert len(late) == 1
