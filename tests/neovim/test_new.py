"""Neovim 0.11 with the blocks of docs/editors/neovim.md: menu, hint, prefix; goals from a Lean client beside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from neovim_session import TEXT, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.slow]

PLACE = {"start": {"line": 2, "character": 13}, "end": {"line": 2, "character": 18}}
"""The `sorry` of `TEXT`; each 𝔸 counts twice."""


@pytest.fixture
def played(new_nvim: Path, session: Callable[[Path], Session]) -> tuple[Session, dict[str, Any]]:
    it = session(new_nvim)
    return it, it.play("new.lua")


def test_menu_hint_and_prefix(played: tuple[Session, dict[str, Any]]) -> None:
    it, seen = played
    assert seen["version"] == "0.11"
    assert seen["filetype"] == "lean"
    assert seen["root"] == str(it.folder)
    assert (seen["first_progress"]["kind"], seen["first_progress"]["title"]) == ("begin", "llmstep")
    assert re.match(
        r"32 generated, \d+ distinct, \d+ of Lean's own tactics: \d+ closes? the goal", seen["last_progress"]["message"]
    )

    # The menu: the best step is preferred, and its edit is in the buffer.
    *steps, more, prove = seen["actions"]
    assert [more["title"], prove["title"]] == ["llmstep: more suggestions", "llmstep: complete the proof"]
    best = steps[0]
    assert best["isPreferred"]
    assert best["data"]["verdict"] == "closes"
    [edit] = best["edit"]["changes"][it.file.as_uri()]
    assert edit["range"] == PLACE
    assert seen["by_menu"] == TEXT.replace("sorry", edit["newText"])

    # The hint: at the end of the goal's place, with the same edit.
    [hint] = seen["hints"]
    assert hint["position"] == {"line": 2, "character": 22}  # Neovim has made bytes of it
    assert hint["label"] == best["title"]
    assert hint["textEdits"] == [edit]

    # Suggestions with a prefix, and the hint of the first accepted with the key.
    assert seen["undone"] == TEXT
    assert "generated" in seen["summary"]
    *prefixed, _, _ = seen["prefixed"]
    assert prefixed
    assert all(title.startswith("exact") for title in prefixed)
    assert seen["by_hint"] == TEXT.replace("sorry", prefixed[0].removesuffix(" ✓"))
    assert it.file.read_text() == seen["by_hint"]
    assert it.complaints() == []
    assert seen["notice"] == "There is no hint of llmstep in this line."


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "not checked"])
def test_goals_from_the_lean_client(new_nvim: Path, session: Callable[[Path], Session], checked: bool) -> None:
    it = session(new_nvim)
    seen = it.play("beside.lua", check={"enabled": checked})
    answer = seen["answer"]
    assert answer["goal"] == "p q : Prop\nhp : p\n⊢ p ∨ q"
    best = answer["suggestions"][0]
    assert best["edit"]["range"] == PLACE
    assert seen["text"] == it.file.read_text() == TEXT.replace("sorry", best["edit"]["newText"])
    assert "did not give the goal: no Lean client is attached" in seen["problem"]
    if checked:
        assert best["verdict"] == "closes"
        assert it.complaints() == []
    else:  # llmstep has had nothing to ask Lean itself
        assert best["verdict"] == "unchecked"
        assert seen["status"]["lean"] == []
