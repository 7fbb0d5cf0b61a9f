"""The plugin in Neovim 0.11 and 0.12: menu, hint, keys, commands; goals from a Lean client beside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from neovim_session import TEXT, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.slow]

PLACE = {"start": {"line": 2, "character": 13}, "end": {"line": 2, "character": 18}}
"""The `sorry` of `TEXT`; each 𝔸 counts twice."""


def test_menu_hint_keys_and_commands(
    new_nvim: Path, session: Callable[[Path], Session], request: pytest.FixtureRequest
) -> None:
    it = session(new_nvim)
    seen = it.play("new.lua")
    assert seen["version"] == request.node.callspec.params["new_nvim"]
    assert seen["filetype"] == "lean"
    assert seen["root"] == str(it.folder)
    assert seen["clients"] == [1, 1]
    assert (seen["first_progress"]["kind"], seen["first_progress"]["title"]) == ("begin", "llmstep")
    counts = r"32 generated, \d+ distinct, \d+ of Lean's own tactics: \d+ closes? the goal"
    assert re.match(counts, seen["last_progress"]["message"])

    # The menu: the best step is preferred, and its edit is in the buffer.
    steps = [each for each in seen["actions"] if not each["title"].startswith("llmstep:")]
    own = [each["title"] for each in seen["actions"][len(steps) :]]
    assert own[:2] == ["llmstep: more suggestions", "llmstep: complete the proof"]
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

    # The key for steps lists them under the run's summary.
    assert seen["undone"] == TEXT
    assert re.match(counts, seen["prompt"]) or seen["prompt"] == "Model"
    assert seen["listed"][0].endswith(" ✓")
    assert seen["by_key"] == TEXT.replace("sorry", seen["listed"][0].removesuffix(" ✓"))

    # Steps with a prefix, another one shown, and the hint of the first accepted with the key.
    assert seen["prefixed"]
    assert all(title.startswith("exact") for title in seen["prefixed"])
    assert re.match(r"2 of \d+: ", seen["turned"])
    assert seen["by_hint"].startswith(TEXT[: TEXT.index("sorry")])
    assert "sorry" not in seen["by_hint"]

    # A whole proof, and what the other words say.
    assert it.file.read_text() == seen["proved"] != TEXT
    assert it.complaints() == []
    assert seen["filled"] == "0 of 0 sorries have a proof."
    assert seen["model"] == "llmstep now uses starter."
    assert seen["wrong"].startswith('llmstep has no command "wrong". It has suggest, accept,')
    assert seen["words"] == ["suggest", "stop"]
    assert "*llmstep-options*" in seen["help"]
    assert f"It runs for {it.folder}" in seen["health"]
    assert "is there." in seen["health"]
    assert seen["unknown"].startswith('llmstep has no option "hint".')


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "not checked"])
def test_goals_from_the_lean_client(new_nvim: Path, session: Callable[[Path], Session], checked: bool) -> None:
    it = session(new_nvim)
    seen = it.play("beside.lua", check={"enabled": checked})
    answer = seen["answer"]
    assert answer["goal"] == "p q : Prop\nhp : p\n⊢ p ∨ q"
    best = answer["suggestions"][0]
    assert best["edit"]["range"] == PLACE
    assert seen["text"] == it.file.read_text() == TEXT.replace("sorry", best["edit"]["newText"])
    assert "problem" not in seen
    assert seen["goal_alone"] == answer["goal"]
    assert len(seen["status_alone"]["lean"]) == 1
    if checked:
        assert best["verdict"] == "closes"
        assert it.complaints() == []
    else:  # llmstep has had nothing to ask Lean itself
        assert best["verdict"] == "unchecked"
        assert seen["status"]["lean"] == []
