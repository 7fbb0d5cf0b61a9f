"""The main job: a step is suggested at the cursor, its code action is applied, and the real Lean has no complaint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lsp_page import position
from lsprotocol import types

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import Page

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]

# `§` is the cursor; it is not part of the text. The goals are such that the starter closes each with at least three
# samples in ten: that none of 32 does happens once in a hundred thousand runs.
CASES = {
    "on a sorry": "theorem t (p q : Prop) (h : p ∧ q) : q := by\n  §sorry\n",
    "inside of a sorry": "theorem t (p q : Prop) (h : p ∧ q) : p := by\n  so§rry\n",
    "behind a sorry": "theorem t (a b : Nat) (h : a = b) : b = a := by\n  sorry§\n",
    "an empty line": "theorem t (p q : Prop) : p → q → p := by\n  intro hp hq\n  §\n",
    "behind by": "theorem t (a b : Nat) : a + b = b + a := by§\n",
    "behind a tactic": "theorem t (p : Prop) : p → p := by\n  intro h§\n",
    "in a dot": "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  constructor\n  · §sorry\n  · exact hq\n",
    "an empty second dot": (
        "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  constructor\n  · exact hp\n  · §\n"
    ),
    "in a case": (
        "theorem t (p q : Prop) (h : p ∨ q) : p ∨ q := by\n  cases h with\n"
        "  | inl hp => §sorry\n  | inr hq => exact Or.inr hq\n"
    ),
    "in a have": "theorem t (p q : Prop) (hp : p) : p ∨ q := by\n  have h : p ∨ q := by\n    §sorry\n  exact h\n",
    "beside characters of two units": (
        "-- 𝔸 ∀ e\u0301\ntheorem «𝔸» (p q : Prop) (hp : p) : p ∨ q := by\n  /- 𝔸 ∀ e\u0301 𝔸 -/ §sorry\n"
    ),
    "with Windows line ends": (
        "theorem t (p : Prop) (h : p) : p := by\r\n  §sorry\r\n\r\ntheorem u : True := trivial\r\n"
    ),
    "without a last line end": "theorem t (p q : Prop) (hp : p) : p ∨ q := by\n  §sorry",
    "a call with a prefix": 'theorem t (p q : Prop) (hp : p) : p ∨ q := by\n  llmstep§ "exact"\n',
    "between other theorems": (
        "theorem s (n : Nat) : n = n := rfl\n\ntheorem t (f : Nat → Nat) (a b : Nat) (h : a = b) : f a = f b := by\n"
        "  §sorry\n\ntheorem u (n : Nat) : n = n := rfl\n"
    ),
}


def page_at_cursor(opened: Callable[..., Page], marked: str) -> tuple[Page, types.Position]:
    index = marked.index("§")
    text = marked.replace("§", "", 1)
    return opened(text), position(text, index)


@pytest.mark.parametrize("marked", CASES.values(), ids=CASES.keys())
async def test_the_best_suggestion_closes_the_goal(opened: Callable[..., Page], judge: Any, marked: str) -> None:
    page, cursor = page_at_cursor(opened, marked)
    answer = await page.suggest(cursor)
    assert answer["suggestions"], answer["summary"]
    assert answer["suggestions"][0]["verdict"] == "closes", answer["summary"]

    first = answer["suggestions"][0]["text"]
    [best, *_] = await page.actions(cursor)
    assert best.kind == types.CodeActionKind.QuickFix
    assert best.is_preferred
    assert best.title == first.splitlines()[0] + " ✓"
    assert await judge.complaints(page.accept(best)) == []
