"""The main thing: a lightbulb on an unfinished proof, suggestions with verdicts, one taken, Lean content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from vscode_lean import OR, WEAKEN
from vscode_window import plain

if TYPE_CHECKING:
    from vscode_lean import Judge
    from vscode_window import Window

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_from_the_lightbulb_to_a_proof_that_lean_accepts(window: Window, judge: Judge) -> None:
    file = await window.open("Weaken.lean", WEAKEN)
    await file.place("sorry")
    bulb = file.editor.locator(".lightBulbWidget:visible, [class*='codicon-gutter-lightbulb']:visible").first
    await bulb.wait_for()
    offered = await window.menu(until_it_has="llmstep: suggest")
    assert offered[:2] == ["llmstep: suggest the next step", "llmstep: complete the proof"]
    await window.picture("01-lightbulb")
    await window.choose("llmstep: suggest the next step")

    # What was found comes in a menu by itself.
    best = (await window.results(until_one_has="✓"))[0]
    entries = [title for title, *_ in await window.picks(until_one_has="Complete the proof")]
    assert entries[-2:] == ["More suggestions", "Complete the proof"]
    await window.picture("02-suggestions")
    assert best.endswith("✓")

    await window.press("Enter")
    assert await file.saved() == WEAKEN.replace("sorry", plain(best.removesuffix("✓")))
    await window.picture("03-accepted")
    assert judge(file.path) == []
    assert await window.messages() == []
    await file.close()


async def test_suggest_with_a_prefix(window: Window, judge: Judge) -> None:
    file = await window.open("Prefix.lean", OR)
    await file.place("/ sorry", 2)
    await window.command("llmstep: Suggest the Next Step with a Prefix…")
    await window.page.locator(".quick-input-title").filter(has_text="prefix").wait_for()
    await window.picture("04-prefix")
    await window.answer("exact Or")
    steps = await window.results(until_one_has="exact Or")
    assert steps
    assert all(title.startswith("exact Or") for title in steps)
    await window.press("Enter")
    assert await file.saved() == OR.replace("sorry", plain(steps[0].removesuffix("✓")))
    assert judge(file.path) == []
    await file.close()


async def test_a_step_that_leaves_goals_has_no_mark_and_lean_agrees(window: Window, judge: Judge) -> None:
    """On an implication the model begins with `intro`; after it one goal is left."""
    text = "theorem t (p q r : Prop) : p → q → r := by\n  sorry\n"
    file = await window.open("Progress.lean", text)
    await file.place("sorry")
    await window.command("llmstep: Suggest the Next Step with a Prefix…")
    await window.answer("intro")
    titles = await window.results(until_one_has="intro")
    assert not any(title.endswith("✓") for title in titles)
    await window.press("Enter")
    assert titles[0].endswith(" → 1 goal")
    assert await file.saved() == text.replace("sorry", titles[0].removesuffix(" → 1 goal"))
    [complaint] = judge(file.path)
    assert complaint.startswith("unsolved goals")
    await file.close()


async def test_the_whole_proof_from_the_menu(window: Window, judge: Judge) -> None:
    text = "theorem t (p q : Prop) (hp : p) : p ∨ q := by\n  sorry\n\ntheorem u : True := by\n  sorry\n"
    file = await window.open("Whole.lean", text)
    await file.place("sorry")
    await window.menu(until_it_has="llmstep: complete the proof")
    await window.choose("llmstep: complete the proof")
    await window.results(until_one_has="✓")  # the proof, to be taken or not
    await window.press("Enter")
    proved = await file.saved()
    assert proved.count("sorry") == 1
    assert proved.endswith("\n\ntheorem u : True := by\n  sorry\n")
    assert judge(file.path) == ["declaration uses `sorry`"]  # that of the other theorem
    await file.close()
