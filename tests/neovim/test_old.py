"""Neovim 0.7.2: menu, run, menu, edit, Lean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from neovim_session import TEXT, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.slow]


def test_a_step_is_found_chosen_and_accepted_by_lean(old_nvim: Path, session: Callable[[Path], Session]) -> None:
    it = session(old_nvim)
    seen = it.play("old.lua")
    assert seen["version"] == "0.7"
    assert {"llmstep.suggest", "llmstep.prove", "llmstep.stop"} <= set(seen["commands"])
    assert seen["first_menu"][:2] == ["llmstep: suggest the next step", "llmstep: complete the proof"]

    assert seen["progress"][0]["title"] == "llmstep"
    assert re.match(
        r"32 generated, \d+ distinct, \d+ of Lean's own tactics: \d+ closes? the goal", seen["progress"][-1]["message"]
    )

    steps = [each for each in seen["actions"] if not each["title"].startswith("llmstep:")]
    own = [each["title"] for each in seen["actions"][len(steps) :]]
    assert own[:2] == ["llmstep: more suggestions", "llmstep: complete the proof"]
    assert seen["second_menu"] == [each["title"] for each in seen["actions"]]
    best = steps[0]
    assert best["data"]["verdict"] == "closes"
    assert best["title"].endswith(" ✓")
    [edit] = best["edit"]["changes"][it.file.as_uri()]
    assert edit["range"] == {
        "start": {"line": 2, "character": 13},
        "end": {"line": 2, "character": 18},
    }  # 𝔸 is two units

    assert seen["text"] == TEXT.replace("sorry", edit["newText"])
    assert it.file.read_text() == seen["text"]
    assert it.complaints() == []
