"""Everything that goes wrong at a server: what is tried again, and what the user is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs
import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from llmstep.engine.remote import connection
from llmstep.errors import (
    BusyError,
    LlmstepError,
    ModelNotFoundError,
    RemoteError,
    RemoteRefusedError,
)

from .asks import ASK, SIX
from .conftest import MODEL, FakeServer, engine_for, error
from .failures import failure, junk

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- what passes


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 429])
async def test_what_may_pass_is_tried_again(fake: FakeServer, status: int) -> None:
    fake.faults = [lambda: error(status, "later"), lambda: error(status, "later")]
    async with engine_for(fake.settings()) as engine:
        assert (await engine.generate(ASK, SIX)).drawn == 6
    assert len(fake.asked) == 3


async def test_a_stream_that_is_cut_is_asked_again(fake: FakeServer) -> None:
    fake.cuts = 2
    async with engine_for(fake.settings()) as engine:
        answer = await engine.generate(ASK, SIX)
    assert (answer.drawn, len(fake.asked), fake.closed_early) == (6, 3, 2)
    assert {each.text for each in answer.candidates} <= set(fake.texts)  # nothing of the pieces


@pytest.mark.parametrize(
    "fault",
    [
        junk("data: {broken\n\n"),
        junk("data: []\n\n"),
        junk('data: {"choices": [3]}\n\n'),
        junk('data: {"choices": [{"index": "x", "text": "a"}]}\n\n'),
        junk("data: \udcff\n\n".encode("utf-8", "surrogateescape").decode("latin-1")),
        junk(""),
        junk("{}", "application/json"),
        junk("<html>", "text/html"),
        junk('data: {"error": {"message": "CUDA out of memory"}}\n\n'),
        junk('{"error": "x"}', "application/json"),
    ],
)
async def test_answers_that_cannot_be_read_are_asked_for_again(fake: FakeServer, fault: Callable[[], Response]) -> None:
    fake.faults = [fault]
    async with engine_for(fake.settings()) as engine:
        assert (await engine.generate(ASK, SIX)).drawn == 6
    assert len(fake.asked) == 2


async def test_a_server_that_was_away_comes_back(fake: FakeServer) -> None:
    async with engine_for(fake.settings()) as engine:
        assert (await engine.generate(ASK, SIX)).drawn == 6
        await fake.stop()
        try:
            with pytest.raises(RemoteError, match=f"Nothing answers at {fake.url}"):
                await engine.generate(ASK, attrs.evolve(SIX, seed=4))
        finally:
            await fake.start()
        assert (await engine.generate(ASK, attrs.evolve(SIX, seed=4))).drawn == 6


# --- what does not


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (lambda: error(500, "CUDA out of memory"), RemoteError, "failed (status 500): CUDA out of memory."),
        (lambda: Response("<html>Bad Gateway</html>", 502), RemoteError, "failed (status 502)."),
        (lambda: JSONResponse({"detail": "x" * 500}, 503), RemoteError, f"failed (status 503): {'x' * 198} …."),
        (lambda: error(429, "slow down"), BusyError, "takes no more requests now: slow down."),
        (junk("data: {broken\n\n"), RemoteError, "cannot be read."),
        (junk('data: {"choices": [{"index": 0, "text": "a"}]}\n\n'), RemoteError, "broke off its answer."),
        (junk('data: {"error": {"message": "CUDA"}}\n\n'), RemoteError, "The server failed: CUDA."),
        (lambda: error(400, "bad prompt\nsecond line"), RemoteRefusedError, "(status 400): bad prompt second line."),
        (lambda: error(418, ""), RemoteRefusedError, "refuses the request (status 418)"),
        (lambda: RedirectResponse("http://192.0.2.1/v1"), RemoteRefusedError, "sends to another address (status 307)"),
    ],
)
async def test_what_lasts_is_one_sentence(
    fake: FakeServer, fault: Callable[[], Response], kind: type[LlmstepError], message: str
) -> None:
    fake.faults = [fault] * connection.TRIES
    told = await failure(fake, kind)
    assert message in told.message
    assert told.message.endswith(".")
    assert "\n" not in told.message
    assert told.hint.endswith((".", "?"))
    passing = kind in (RemoteError, BusyError)
    assert len(fake.asked) == (connection.TRIES if passing else 1)
    assert told.retryable is passing


async def test_a_model_that_is_not_there(fake: FakeServer) -> None:
    fake.faults = [lambda: error(404, "The model does not exist.")] * 2
    told = await failure(fake, ModelNotFoundError, attrs.evolve(fake.settings(model="gone"), template="bfs"))
    assert told.message == f"The server at {fake.url} has no model gone."
    assert told.hint == f"Set llmstep.remote.model to one of {MODEL}, another."


async def test_another_kind_of_server(fake: FakeServer) -> None:
    fake.has = set()
    told = await failure(fake, RemoteRefusedError)
    assert "(status 404): Not Found" in told.message
    fake.has = {"/v1/models"}
    fake.models = {"odd": 1}
    told = await failure(fake, RemoteError, fake.settings(model=""))
    assert "cannot be read" in told.message


async def test_a_list_of_models_that_fails_is_like_none(fake: FakeServer) -> None:
    fake.models = error(500, "no cache")
    async with engine_for(fake.settings()) as engine:
        assert await engine.load() == MODEL
        engine.store.change(fake.settings(model=""))
        with pytest.raises(ModelNotFoundError, match="does not say which models it has"):
            await engine.load()


async def test_retry_after(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await real(0)

    monkeypatch.setattr(connection.asyncio, "sleep", sleep)
    later = {"Retry-After": "3"}
    fake.faults = [lambda: error(429, "later", **later), lambda: error(503, "later", **later)]
    async with engine_for(fake.settings()) as engine:
        assert (await engine.generate(ASK, SIX)).drawn == 6
    assert [each for each in slept if each >= 1] == [3.0, 3.0]
    fake.faults = [lambda: error(429, "tomorrow", **{"Retry-After": "86400"})]
    told = await failure(fake, BusyError)
    assert told.hint == "Try again in 86400 seconds."
    assert len(fake.asked) == 4
    fake.faults = [lambda: error(429, "x", **{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})]
    async with engine_for(fake.settings()) as engine:
        assert (await engine.generate(ASK, SIX)).drawn == 6


async def test_a_server_that_is_too_slow(fake: FakeServer) -> None:
    fake.hold = asyncio.Event()
    told = await failure(fake, RemoteError, fake.settings(timeout_seconds=0.3))
    assert told.message == f"The server at {fake.url} did not answer within 0.3 seconds."
    await fake.until(lambda: fake.open == 0)
    assert fake.closed_early == len(fake.asked)


async def test_a_time_limit_between_two_tries_tells_why_the_first_failed(fake: FakeServer) -> None:
    fake.faults = [lambda: error(503, "warming up", **{"Retry-After": "5"})]
    told = await failure(fake, RemoteError, fake.settings(timeout_seconds=3))
    assert told.message == f"The server at {fake.url} failed (status 503): warming up."
    assert len(fake.asked) == 1
