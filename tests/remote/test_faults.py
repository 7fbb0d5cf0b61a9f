"""Everything that goes wrong at a server: what is tried again, what the user is told, and that no key is ever shown."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from llmstep.engine.remote import connection
from llmstep.engine.remote.place import Key, Place, place_of, read_key
from llmstep.errors import (
    BusyError,
    LlmstepError,
    ModelNotFoundError,
    RemoteError,
    RemoteRefusedError,
    SettingsError,
)
from llmstep.settings import RemoteSettings, Settings

from .conftest import MODEL, FakeServer, engine_for, error
from .test_openai import ASK, SIX

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "sk-5f2c9b7e41d84a6f"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.001)


async def failure(fake: FakeServer, kind: type[LlmstepError], settings: Settings | None = None) -> LlmstepError:
    async with engine_for(settings or fake.settings()) as engine:
        with pytest.raises(kind) as caught:
            await engine.generate(ASK, SIX)
        assert engine.status.state in ("idle", "empty")
        return caught.value


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


def junk(content: str, kind: str = "text/event-stream") -> Callable[[], Response]:
    return lambda: Response(content, media_type=kind)


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


async def test_keys(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for status in (401, 403):
        fake.faults = [lambda status=status: error(status, f"Incorrect API key provided: {SECRET[:6]}***")]  # type: ignore[misc]
        told = await failure(fake, RemoteRefusedError)
        assert told.message == f"The server at {fake.url} wants a key (status {status})."
        with monkeypatch.context() as patch:
            patch.setenv("LLMSTEP_API_KEY", SECRET)
            fake.faults = [lambda status=status: error(status, f"Incorrect API key provided: {SECRET}")]  # type: ignore[misc]
            told = await failure(fake, RemoteRefusedError)
            assert told.message == f"The server at {fake.url} refuses the key (status {status})."
            assert "LLMSTEP_API_KEY" in told.hint


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
    told = await failure(fake, RemoteError, fake.settings(timeout_seconds=0.5))
    assert told.message == f"The server at {fake.url} failed (status 503): warming up."
    assert len(fake.asked) == 1


# --- consent


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "The setting llmstep.engine is openai, but llmstep.remote.url is empty."),
        ("localhost:8000", "The setting llmstep.remote.url is no address of a server."),
        ("ftp://127.0.0.1", "The setting llmstep.remote.url is no address of a server."),
        ("http://", "The setting llmstep.remote.url is no address of a server."),
        ("http://127.0.0.1:99999/v1", "The setting llmstep.remote.url is no address of a server."),
        ("http://[::1/v1", "The setting llmstep.remote.url is no address of a server."),
        (f"http://127.0.0.1/v1?key={SECRET}", "The setting llmstep.remote.url is no address of a server."),
        (f"http://me:{SECRET}@127.0.0.1/v1", "The setting llmstep.remote.url holds a user name or a password."),
        (
            "https://gpu.example.org/v1",
            "llmstep does not send goals to gpu.example.org without your consent, because that is",
        ),
        (
            "http://192.0.2.7:8000",
            "llmstep does not send goals to 192.0.2.7 without your consent, because that is another machine.",
        ),
        (
            "http://127.0.0.1.example.org/v1",
            "llmstep does not send goals to 127.0.0.1.example.org without your consent",
        ),
    ],
)
async def test_addresses_that_are_not_asked(url: str, message: str) -> None:
    settings = Settings(engine="openai", remote=RemoteSettings(url=url, model=MODEL))
    async with engine_for(settings) as engine:
        for work in (engine.generate(ASK, SIX), engine.load()):
            with pytest.raises(SettingsError) as caught:
                await work
            assert caught.value.message.startswith(message)
            assert caught.value.hint
            assert SECRET not in str(caught.value)


async def test_addresses_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLMSTEP_API_KEY", raising=False)

    def place(url: str, **remote: Any) -> Place:
        return place_of(Settings(engine="openai", remote=RemoteSettings(url=url, **remote)))

    assert place("http://localhost:8000/v1/") == Place("http://localhost:8000/v1")
    assert place("http://[::1]:8000") == Place("http://[::1]:8000/v1")
    assert place("https://api.example.org/openai/v1", allow_non_loopback=True) == Place(
        "https://api.example.org/openai/v1", loopback=False
    )
    llmstep = Settings(engine="llmstep", remote=RemoteSettings(url="http://127.0.0.1:6000/"))
    assert place_of(llmstep) == Place("http://127.0.0.1:6000")


# --- the key


async def test_where_the_key_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")
    monkeypatch.delenv("LLMSTEP_API_KEY", raising=False)
    assert read_key("") is None
    assert read_key(str(file)) == Key(SECRET)
    monkeypatch.setenv("LLMSTEP_API_KEY", "other")
    assert read_key(str(file)) == Key("other")
    monkeypatch.delenv("LLMSTEP_API_KEY")
    file.write_text("two words")
    with pytest.raises(SettingsError, match="holds no usable key"):
        read_key(str(file))
    monkeypatch.setenv("LLMSTEP_API_KEY", f"{SECRET}\nx")
    with pytest.raises(SettingsError, match="holds no usable key") as caught:
        read_key("")
    assert SECRET not in str(caught.value)


async def test_a_key_that_is_given_for_a_file_name_is_not_repeated() -> None:
    for mistaken in (SECRET, SECRET + "\0", "~" + SECRET + "/x"):
        with pytest.raises(SettingsError) as caught:
            read_key(mistaken)
        assert caught.value.message == "The file of the setting llmstep.remote.apiKeyFile cannot be read."
        assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_the_key_is_in_no_log_and_no_error(
    fake: FakeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With every logger at its most talkative, and a server that repeats what it was sent."""
    monkeypatch.setenv("LLMSTEP_API_KEY", SECRET)
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "llmstep", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    errors: list[BaseException] = []
    shown: list[str] = []
    for fault in (
        None,
        lambda: error(401, f"Incorrect key {SECRET}"),
        lambda: error(400, f"bad header Authorization: Bearer {SECRET}"),
        lambda: error(500, f"failed for {SECRET}"),
        lambda: error(429, f"quota of {SECRET}"),
        junk(f"data: {SECRET}\n\n"),
        junk(f'data: {{"error": "{SECRET}"}}\n\n'),
    ):
        fake.faults = [fault] * connection.TRIES
        async with engine_for(fake.settings()) as engine:
            shown += [repr(engine.settings), repr(engine.status), repr(vars(engine))]
            try:
                await engine.generate(ASK, attrs.evolve(SIX, seed=len(fake.asked)))
            except LlmstepError as caught:
                errors.append(caught)
            shown.append(repr(engine._connection and vars(engine._connection)))
    await fake.stop()
    try:
        errors.append(await failure(fake, RemoteError))
    finally:
        await fake.start()
    assert fake.asked[0].headers["authorization"] == f"Bearer {SECRET}"
    assert len(errors) == 7
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    shown += [f"{record.getMessage()} {record.args!r} {record.exc_text}" for record in caplog.records]
    shown += ["".join(traceback.format_exception(each)) + repr(vars(each)) for each in errors]
    assert [text for text in shown if SECRET in text] == []
