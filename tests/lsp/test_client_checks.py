"""`checkProvider: "client"`: files that import the Lean package are checked by the editor's own Lean server."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from client import Editor, Page, editor
from kit_client import Lsp
from lsp_page import apply
from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="module")]

IMPORTING = """import LLMstep
theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  constructor
  · sorry
  · exact hq
"""
PLAIN = IMPORTING.replace("import LLMstep\n", "")
NOT_OURS = -32601
"""What Lean says to an RPC method that the file's imports do not have."""


class LeanEditor:
    """Answers both of llmstep's requests as an editor does that runs Lean: from its own server, whose files can import
    the package."""

    def __init__(self, lean: Path, folder: Path, package: Path) -> None:
        self.lsp: Any = Lsp([lean, "--server"], folder, {**os.environ, "LEAN_PATH": str(package)})
        self.lsp.init()
        self.checked: list[tuple[types.Position, list[str], int]] = []
        self.broken = False

    def open(self, name: str, text: str) -> None:
        self.lsp.open(name, text)
        self.lsp.wait(name, 1)

    async def goal(self, params: Any) -> Any:
        name = params.textDocument.uri.rpartition("/")[2]
        goals = await asyncio.to_thread(self.lsp.goals, name, params.position.line, params.position.character)
        return None if goals is None else {"goals": goals, "rendered": ""}

    async def check(self, params: Any) -> Any:
        self.checked.append((_position(params), list(params.suggestions), params.maxHeartbeats))
        if self.broken:
            raise JsonRpcException("the Lean server has crashed")
        answer = await asyncio.to_thread(self._call, params)
        return None if answer.get("error", {}).get("code") == NOT_OURS else answer["result"]

    def _call(self, params: Any) -> Any:
        name = params.textDocument.uri.rpartition("/")[2]
        place = self.lsp.at(name, params.position.line, params.position.character)
        session = self.lsp.request("$/lean/rpc/connect", {"uri": self.lsp.uri(name)})["result"]["sessionId"]
        asked = {**place, "suggestions": list(params.suggestions), "maxHeartbeats": params.maxHeartbeats}
        request = {"sessionId": session, "method": "LLMstep.checkSuggestions", "params": asked}
        return self.lsp.request("$/lean/rpc/call", {**place, **request})


def _position(params: Any) -> types.Position:
    return types.Position(params.position.line, params.position.character)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lean_editor(lean: Path, package: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LeanEditor]:
    made = await asyncio.to_thread(LeanEditor, lean, tmp_path_factory.mktemp("lean"), package)
    yield made
    await asyncio.to_thread(made.lsp.stop)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(folder: Path, options: dict[str, Any], lean_editor: LeanEditor) -> AsyncIterator[Editor]:
    """An editor that gives goals and checks; llmstep itself finds no Lean, so that every verdict is the editor's."""
    own = {
        **options,
        "goalProvider": "client",
        "checkProvider": "client",
        "check": {"maxHeartbeats": 20_000},
        "lean": {"command": [str(folder / "no-such-lean"), "--server"]},
    }
    made = Editor()
    made.answer("llmstep/plainGoal", lean_editor.goal)
    made.answer("llmstep/checkSuggestions", lean_editor.check)
    async with editor(folder, made=made, options=own, capabilities={"general": {}}) as it:
        yield it


async def opened(client: Editor, lean_editor: LeanEditor, folder: Path, name: str, text: str) -> Page:
    lean_editor.checked.clear()
    lean_editor.broken = False
    await asyncio.to_thread(lean_editor.open, name, text)
    return client.open(folder / name, text)


async def test_the_verdicts_are_those_of_the_editors_lean(
    client: Editor, lean_editor: LeanEditor, folder: Path
) -> None:
    page = await opened(client, lean_editor, folder, "Importing.lean", IMPORTING)
    answer = await page.suggest(page.at("sorry"), count=16)
    verdicts = {each["text"]: each["verdict"] for each in answer["suggestions"]}
    assert verdicts["exact hp"] == "closes"
    assert answer["suggestions"][0]["text"] == "exact hp"
    assert "unchecked" not in verdicts.values()
    [(where, texts, heartbeats)] = lean_editor.checked
    assert where == types.Position(3, 4)
    assert "exact hp" in texts
    assert heartbeats == 20_000
    [best, *_] = await page.actions(page.at("sorry"))
    assert best.edit
    assert best.edit.changes
    assert apply(IMPORTING, list(best.edit.changes[page.uri])) == IMPORTING.replace("sorry", "exact hp")


async def test_what_is_refused_anyway_is_not_sent(client: Editor, lean_editor: LeanEditor, folder: Path) -> None:
    text = "import LLMstep\ntheorem exact' (p : Prop) (hp : p) : p := by\n  sorry\n"
    page = await opened(client, lean_editor, folder, "Refused.lean", text)
    answer = await page.suggest(page.at("sorry"), prefix="exact exact'", count=4)
    assert answer["suggestions"] == []
    assert "It uses the theorem itself: `exact'`" in answer["summary"]
    assert all(not text.startswith("exact exact' ") for _, texts, _ in lean_editor.checked for text in texts)


@pytest.mark.parametrize("broken", [False, True])
async def test_where_the_editor_cannot_check_our_own_lean_is_asked(
    client: Editor, lean_editor: LeanEditor, folder: Path, broken: bool
) -> None:
    page = await opened(client, lean_editor, folder, f"Plain{broken}.lean", IMPORTING if broken else PLAIN)
    lean_editor.broken = broken
    answer = await page.suggest(page.at("sorry"), count=4)
    assert len(lean_editor.checked) == 1
    assert {each["verdict"] for each in answer["suggestions"]} == {"unchecked"}
    assert "no-such-lean" in answer["summary"]
