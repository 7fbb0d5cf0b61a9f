"""`goalProvider: "client"`: the editor's own Lean server is asked for the goal, through the editor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from client import Editor, Page, editor
from lean_judge import Judge
from lsp_page import apply
from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcMethodNotFound
from test_suggest import AND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="module")]


class Forwarder:
    """Answers `llmstep/plainGoal` as the VS Code extension does: from the Lean server that the editor runs."""

    def __init__(self, judge: Any) -> None:
        self.lean = judge.lean
        self.text = ""
        self.asked: list[types.Position] = []
        self.refuse: str = ""

    async def __call__(self, params: Any) -> Any:
        if self.refuse:
            raise JsonRpcException(self.refuse)
        where = types.Position(params.position.line, params.position.character)
        self.asked.append(where)
        await self.lean.change(params.textDocument.uri, self.text)
        goals = await self.lean.plain_goal(params.textDocument.uri, where)
        return None if goals is None else {"goals": goals, "rendered": "```lean\n" + "\n\n".join(goals) + "\n```"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def forwarder(lean_command: tuple[str, ...], folder: Path) -> AsyncIterator[Forwarder]:
    judge = Judge(lean_command, folder)
    yield Forwarder(judge)
    await judge.lean.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(folder: Path, options: dict[str, Any], forwarder: Forwarder) -> AsyncIterator[Editor]:
    """An editor that gives goals and can do nothing else; llmstep itself finds no Lean."""
    own = {**options, "goalProvider": "client", "lean": {"command": [str(folder / "no-such-lean"), "--server"]}}
    made = Editor()
    made.answer("llmstep/plainGoal", forwarder)
    async with editor(folder, made=made, options=own, capabilities={"general": {}}) as it:
        yield it


@pytest.fixture
def page(client: Editor, forwarder: Forwarder, folder: Path) -> Page:
    forwarder.text = AND
    forwarder.refuse = ""
    forwarder.asked.clear()
    return client.open(folder / "Given.lean", AND)


async def test_the_goal_comes_from_the_client_and_nothing_is_checked_without_lean(
    client: Editor, page: Page, forwarder: Forwarder
) -> None:
    answer = await page.suggest(page.at("sorry"), count=8)
    assert answer["goal"] == "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"
    assert forwarder.asked
    assert {each["verdict"] for each in answer["suggestions"]} == {"unchecked"}
    assert "not checked (" in answer["summary"]
    assert "no-such-lean" in answer["summary"]
    assert client.progress == {}  # this client shows none

    [best, *_] = await page.actions(page.at("sorry"))
    assert best.edit
    assert best.edit.document_changes is None
    assert best.edit.changes
    assert apply(AND, list(best.edit.changes[page.uri])) == AND.replace("sorry", answer["suggestions"][0]["text"])


async def test_the_client_knows_of_no_goal(page: Page, forwarder: Forwarder) -> None:
    forwarder.text = "theorem other : True := trivial\n"
    with pytest.raises(JsonRpcException, match="Lean sees no goal here") as caught:
        await page.suggest(page.at("sorry"))
    assert caught.value.data["code"] == "no_goal"


async def test_the_client_cannot_say(page: Page, forwarder: Forwarder) -> None:
    forwarder.refuse = "the Lean server has crashed"
    with pytest.raises(JsonRpcException, match="did not give the goal: the Lean server has crashed") as caught:
        await page.suggest(page.at("sorry"))
    assert caught.value.data["code"] == "editor_lean"


async def no_lean_for_it(_: Any) -> Any:
    raise JsonRpcMethodNotFound("The Lean 4 extension has no Lean server for this file.")


async def crashed(_: Any) -> Any:
    raise JsonRpcException("the Lean server has crashed")


async def silent(_: Any) -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize("editors_lean", [no_lean_for_it, crashed, silent])
async def test_our_own_lean_says_what_the_editors_does_not(
    folder: Path, options: dict[str, Any], editors_lean: Callable[[Any], Any]
) -> None:
    made = Editor()
    asked: list[Any] = []

    def ask(params: Any) -> Any:
        asked.append(params)
        return editors_lean(params)

    made.answer("llmstep/plainGoal", ask)
    lean = {**options["lean"], "timeoutSeconds": 6}
    async with editor(folder, made=made, options={**options, "goalProvider": "client", "lean": lean}) as it:
        page = it.open(folder / "Alone.lean", AND)
        answer = await page.suggest(page.at("sorry"), count=2)
    assert len(asked) == 1
    assert answer["goal"] == "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"
