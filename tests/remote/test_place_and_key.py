"""Which addresses are asked, where the key comes from, and that it is shown nowhere."""

from __future__ import annotations

import gc
import logging
import traceback
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from llmstep.engine.remote import connection
from llmstep.engine.remote.place import Key, Place, place_of, read_key
from llmstep.errors import (
    LlmstepError,
    RemoteError,
    RemoteRefusedError,
    SettingsError,
)
from llmstep.settings import RemoteSettings, Settings

from .asks import ASK, SIX
from .conftest import MODEL, FakeServer, engine_for, error
from .failures import failure, junk

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "sk-5f2c9b7e41d84a6f"


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
            shown += [repr(each) for each in gc.get_objects() if isinstance(each, connection.Connection)]
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
