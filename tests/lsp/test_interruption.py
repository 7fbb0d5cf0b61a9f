"""What ends work in flight, and what does not; the model is at a server that answers when the test lets it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import pytest_asyncio
from client import SECONDS, Editor, Page, editor
from fake_openai import FakeServer
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.lsp.setup import create_session
from llmstep.lsp.suggest import suggest_at_rest
from llmstep.memory import Document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]

AND = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  sorry\n"
ON_DEMAND = {"trigger": "onDemand"}


@attrs.define
class Held:
    """An editor, a document in it, and the server that has the model."""

    editor: Editor
    model: FakeServer
    folder: Path

    pages: list[Page] = attrs.Factory(list)

    def open(self, text: str = AND) -> Page:
        self.pages.append(self.editor.open(self.folder / f"Held{len(self.pages)}.lean", text))
        return self.pages[-1]

    def configure(self, **settings: Any) -> None:
        self.editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))

    async def begin(self, page: Page, token: str) -> tuple[str, asyncio.Future[Any]]:
        """Ask for steps; the model is at work, and stays so. The prefix differs each time, so that no cache answers."""
        argument = {"textDocument": {"uri": page.uri}, "position": page.at("sorry"), "prefix": f"have {token}"}
        params = types.ExecuteCommandParams("llmstep.suggest", [argument], work_done_token=token)
        started = self.editor.request(types.WORKSPACE_EXECUTE_COMMAND, params)
        await self.editor.until(lambda: self.editor.generates(token))
        await self.model.until(lambda: self.model.open)
        return started

    async def ended(self, run: asyncio.Future[Any], token: str) -> JsonRpcException:
        """How the run ended; then the model is at rest, and the progress gone."""
        with pytest.raises(JsonRpcException) as caught:
            await asyncio.wait_for(run, SECONDS)
        await self.rest()
        assert self.editor.progress[token][-1]["kind"] == "end"
        return caught.value

    async def rest(self) -> None:
        """Wait until the server has lost its client, and the user is told that nothing goes on."""
        await self.model.until(lambda: self.model.closed_early and not self.model.open)
        await self.editor.until(lambda: self.editor.statuses[-1].state == "idle")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def connected(folder: Path, options: dict[str, Any]) -> AsyncIterator[Held]:
    model = FakeServer()
    await model.start()
    remote = {"url": model.url, "api": "completions"}
    settings = {**options, "engine": "openai", "template": "starter", "remote": remote, "count": 2}
    async with editor(folder, options=settings) as made:
        yield Held(made, model, folder)
    await model.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def held(connected: Held) -> AsyncIterator[Held]:
    """Samples wait until the test sets `model.hold`."""
    connected.model.reset()
    connected.model.texts = [" : p := hp", " : q := hq"]
    connected.model.hold = asyncio.Event()
    connected.editor.messages.clear()
    yield connected
    connected.model.hold.set()
    while connected.pages:
        connected.pages.pop().close()


async def test_cancelling_the_request(held: Held) -> None:
    page = held.open()
    identifier, run = await held.begin(page, "cancelled")
    held.editor.cancel(identifier)
    assert (await held.ended(run, "cancelled")).code == -32800


async def test_cancelling_the_progress(held: Held) -> None:
    page = held.open()
    _, run = await held.begin(page, "dismissed")
    held.editor.client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams("dismissed"))
    error = await held.ended(run, "dismissed")
    assert (error.code, error.message) == (-32800, "The work was stopped.")


async def test_the_command_that_stops(held: Held) -> None:
    page = held.open()
    _, run = await held.begin(page, "stopped")
    assert await held.editor.execute("llmstep.stop") == {"stopped": 1}
    assert (await held.ended(run, "stopped")).code == -32800


@pytest.mark.parametrize(
    ("old", "new"), [("theorem t", "theorem tt"), ("sorry", "exact ⟨hp, hq⟩")], ids=["above", "at-its-place"]
)
async def test_an_edit_of_what_the_goal_rests_on_ends_the_work(held: Held, old: str, new: str) -> None:
    page = held.open()
    _, run = await held.begin(page, f"edited{old[0]}")
    page.replace(old, new)
    assert (await held.ended(run, f"edited{old[0]}")).code == -32801


async def test_an_edit_below_the_goal_does_not(held: Held) -> None:
    page = held.open(AND + "\n-- an edit of the next line counts as near\ntheorem u : True := trivial\n")
    _, run = await held.begin(page, "below")
    page.replace("trivial", "True.intro")
    assert await page.actions(page.at("True.intro")) == []  # which is answered after the edit was taken
    assert held.model.hold is not None
    held.model.hold.set()
    answer = await asyncio.wait_for(run, SECONDS)
    assert answer["summary"].startswith("2 generated, 2 distinct")
    assert held.model.closed_early == 0


async def test_a_new_request_in_the_document_replaces_the_old_one(held: Held) -> None:
    page = held.open()
    _, run = await held.begin(page, "old")
    held.model.hold = None  # for those that come now; the old one waits on
    answer = await page.suggest(page.at("sorry"), prefix="have new", count=2)
    assert answer["summary"].startswith("2 generated")
    held.model.hold = asyncio.Event()
    assert (await held.ended(run, "old")).code == -32802


async def test_closing_the_document_ends_the_work(held: Held) -> None:
    page = held.open()
    _, run = await held.begin(page, "closed")
    held.pages.pop().close()
    assert (await held.ended(run, "closed")).code == -32802


async def test_of_a_document_that_was_closed_no_run_begins_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    session = create_session()
    begun: list[str] = []
    monkeypatch.setattr(session.runs, "begin", begun.append)
    document, position = Document("file:///Gone.lean", 1, AND), types.Position(1, 2)
    assert (await session.places.at(document, position, latest=False)).points
    await suggest_at_rest(session, document, position)
    assert begun == []


async def test_an_edit_ends_a_run_that_began_by_itself(held: Held) -> None:
    """Nobody asked for it, so nobody is told."""
    held.configure(trigger="onIdle", idleDelayMs=50)
    page = held.open("theorem rest (p q : Prop) (hp : p) : p ∨ q := by\n  sorry\n")
    try:
        page.replace("(p q : Prop)", "(p q r : Prop)")  # an edit, too, is a sign of the user; but here is no goal
        await page.actions(page.at("sorry"))
        await held.model.until(lambda: held.model.open)
        page.replace("(hp : p)", "(hq : q)")
        await held.rest()
    finally:
        held.configure(**ON_DEMAND)
    assert await page.hints() == []
    assert held.editor.messages == []
