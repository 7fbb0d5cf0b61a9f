"""Two windows and one model: the second asks the first, and goes on alone when that is gone."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import psutil
import pytest
import pytest_asyncio
from client import Editor, editor
from gated import Gate
from lsprotocol import types
from ports import free_port
from test_life import until_healthy
from test_suggest import AND, OR
from waiting import until

from llmstep import __version__
from llmstep.engine.router import EngineRouter
from llmstep.http import watch
from llmstep.http.app import create_app
from llmstep.http.server import serve
from llmstep.lsp.endpoint import Endpoint, listens
from llmstep.settings import HttpSettings, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from client import Page

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="module")]


def has_read_weights(made: Editor) -> bool:
    """Whether the library that computes with a model's weights is in the server's memory."""
    assert made.process is not None
    return any("_multiarray_umath" in each.path for each in psutil.Process(made.process.pid).memory_maps())


def engine_of(made: Editor) -> tuple[str, str, str]:
    status = made.statuses[-1]
    return status.engine, status.model, status.url


@attrs.frozen
class Windows:
    port: int
    url: str
    first: Editor
    second: Editor
    gate: Gate
    """That of the first one's model."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def windows(
    folder: Path, options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Windows]:
    """Two editors with the same settings; the first has the port."""
    port = free_port()
    gate = Gate(tmp_path_factory.mktemp("gate"))
    own = {**options, "http": {"port": port}}
    async with AsyncExitStack() as stack:
        first = await Editor().start(folder, options=own, program=gate.program)
        stack.callback(lambda: first.process.returncode is None and first.process.kill())  # type: ignore[union-attr]
        await until_healthy(port)
        second = await stack.enter_async_context(editor(folder, options=own))
        await second.until(lambda: any("another llmstep answers" in line for line in second.logs))
        yield Windows(port, f"http://127.0.0.1:{port}", first, second, gate)


async def begin(windows: Windows, page: Page, count: int) -> tuple[str, asyncio.Future[Any]]:
    """Ask in the second window; the model of the first one is at work, and stays so."""
    windows.gate.shut()
    argument = {"textDocument": {"uri": page.uri}, "position": page.at("sorry"), "prefix": "have ", "count": count}
    started = windows.second.request(
        types.WORKSPACE_EXECUTE_COMMAND, types.ExecuteCommandParams("llmstep.suggest", [argument])
    )
    await windows.gate.reached()
    return started


async def is_left(windows: Windows) -> bool:
    """Whether the first window's endpoint answers no request but this one."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        return "\nllmstep_requests_open 1.0\n" in (await http.get(f"{windows.url}/metrics")).text


async def test_the_second_window_uses_the_model_of_the_first(windows: Windows, folder: Path) -> None:
    page = windows.second.open(folder / "Second.lean", AND)
    answer = await page.suggest(page.at("sorry"), token="shared")
    assert answer["suggestions"][0]["verdict"] == "closes"
    assert answer["model"] == "starter"
    assert any("Loading starter" in (value.get("message") or "") for value in windows.second.progress["shared"])
    assert engine_of(windows.second) == ("shared", "starter", windows.url)
    assert windows.second.statuses[-1].device == "cpu"
    assert engine_of(windows.first) == ("inProcess", "starter", "")
    assert has_read_weights(windows.first)
    assert not has_read_weights(windows.second)


async def test_both_windows_get_the_same_answer_to_the_same_question(windows: Windows, folder: Path) -> None:
    ours = windows.first.open(folder / "Both.lean", OR)
    theirs = windows.second.open(folder / "Both.lean", OR)
    one = await ours.suggest(ours.at("sorry"))
    other = await theirs.suggest(theirs.at("sorry"))
    assert [(each["text"], each["score"]) for each in one["suggestions"]] == [
        (each["text"], each["score"]) for each in other["suggestions"]
    ]


async def test_cancelling_in_the_second_stops_the_model_of_the_first(windows: Windows, folder: Path) -> None:
    page = windows.second.open(folder / "Cancelled.lean", AND)
    before = windows.first.statuses[-1].lastMs
    identifier, run = await begin(windows, page, 64)
    await windows.first.until(lambda: windows.first.statuses[-1].state == "generating")
    windows.second.cancel(identifier)
    await asyncio.wait({run})
    await until(lambda: is_left(windows))
    windows.gate.open()
    await windows.first.until(lambda: windows.first.statuses[-1].state == "idle")
    assert windows.first.statuses[-1].lastMs == before  # no answer was finished
    await windows.second.until(lambda: windows.second.statuses[-1].state == "idle")


async def test_when_the_first_is_killed_the_request_is_answered_all_the_same(windows: Windows, folder: Path) -> None:
    assert windows.first.process
    page = windows.second.open(folder / "Killed.lean", AND)
    _, run = await begin(windows, page, 48)
    windows.first.process.kill()
    answer = await run
    assert answer["summary"].startswith("48 generated")
    assert answer["suggestions"] or answer["rejected"]
    assert not [each for each in windows.second.messages if "No step was found" not in each]
    assert engine_of(windows.second) == ("inProcess", "starter", "")
    assert has_read_weights(windows.second)
    await windows.second.until(lambda: any("answered at" in line for line in windows.second.logs))
    assert (await until_healthy(windows.port))["pid"] == windows.second.process.pid  # type: ignore[union-attr]


async def test_a_new_window_uses_the_model_of_the_second_then(
    windows: Windows, folder: Path, options: dict[str, Any]
) -> None:
    async with editor(folder, options={**options, "http": {"port": windows.port}}) as third:
        page = third.open(folder / "Third.lean", OR)
        answer = await page.suggest(page.at("sorry"))
        assert answer["suggestions"][0]["verdict"] == "closes"
        assert engine_of(third) == ("shared", "starter", windows.url)
        assert not has_read_weights(third)


# --- who is asked


@asynccontextmanager
async def lender(settings: Settings) -> AsyncIterator[int]:
    """An llmstep that listens, in this process; its port."""
    engine = EngineRouter(settings)
    server = await serve(create_app(engine, settings), "127.0.0.1", 0)
    try:
        yield server.port
    finally:
        await server.stop()
        await engine.close()


class Window(Endpoint):
    """The endpoint of a window that has the port itself, or has not; and the signs that it was lost."""

    def __init__(self, url: str | None = None) -> None:
        self._own_url = url
        self.signs: list[str] = []

    @property
    def url(self) -> str | None:
        return self._own_url

    def follow(self, *_: object) -> None:
        self.signs.append("follow")


async def test_who_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLMSTEP_TOKEN", raising=False)
    async with lender(Settings(model="starter")) as port:
        same = Settings(model="starter", http=HttpSettings(port=port))
        window = Window()
        place = await window.neighbour(same)
        assert place is not None
        assert (place.url, place.key, place.loopback) == (f"http://127.0.0.1:{port}", None, True)
        assert place.model_key
        for other in (
            attrs.evolve(same, model="auto"),
            attrs.evolve(same, device="cpu"),
            attrs.evolve(same, share_model=False),
            attrs.evolve(same, http=HttpSettings(port=port, enabled=False)),
            attrs.evolve(same, http=HttpSettings(port=0)),
        ):
            assert await window.neighbour(other) is None
        assert await Window(f"http://127.0.0.1:{port}").neighbour(same) is None
        with monkeypatch.context() as patch:  # another version
            patch.setattr(watch, "__version__", __version__ + "x")
            assert await window.neighbour(same) is None
        with monkeypatch.context() as patch:  # the process that it names is not the one that listens
            patch.setattr(watch.os, "getpid", os.getppid)
            assert await window.neighbour(same) is None
    assert window.signs == ["follow"]  # port 0 is nobody's
    assert await window.neighbour(same) is None
    assert window.signs == ["follow", "follow"]


async def test_only_a_process_of_this_user_that_listens_there_is_trusted() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert not listens(os.getpid(), port)
        listener.listen()
        assert listens(os.getpid(), port)
        assert not listens(os.getppid(), port)
        assert not listens(0, port)
        assert not listens(2**30, port)
