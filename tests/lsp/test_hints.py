"""Inlay hints: where they stand, what they say, what accepting does, and when they vanish."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lsp_page import apply
from lsprotocol import types

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import Page

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]

TEXT = """-- 𝔸 first
theorem s (p : Prop) (h : p) : p := by
  sorry

theorem t (p q : Prop) (hp : p) : p ∨ q := by
  /- 𝔸𝔸 -/ sorry

-- an edit of the next line counts as near
theorem u : True := trivial
"""


async def known_page(opened: Callable[..., Page]) -> tuple[Page, dict[str, Any]]:
    """A page of which the second goal is known, and the answer for it."""
    page = opened(TEXT)
    answer = await page.suggest(page.at("/ sorry", 2))
    assert answer["suggestions"][0]["verdict"] == "closes"
    return page, answer


async def test_nothing_is_shown_before_anything_is_known(opened: Callable[..., Page]) -> None:
    assert await opened(TEXT).hints() == []


async def test_one_hint_at_its_goal(opened: Callable[..., Page]) -> None:
    page, answer = await known_page(opened)
    best = answer["suggestions"][0]
    [hint] = await page.hints()
    assert hint.position == page.at("/ sorry", 7)
    assert hint.position == types.Position(5, 18)  # each 𝔸 counts twice
    assert hint.label == best["text"] + " ✓"
    assert hint.padding_left
    assert hint.text_edits
    [edit] = hint.text_edits
    assert edit.range == types.Range(page.at("/ sorry", 2), page.at("/ sorry", 7))
    assert edit.new_text == best["edit"]["newText"]


async def test_accepting_it_satisfies_lean(opened: Callable[..., Page], judge: Any) -> None:
    page, _ = await known_page(opened)
    [hint] = await page.hints()
    assert hint.text_edits
    text = apply(page.text, list(hint.text_edits))
    assert await judge.complaints(text) == ["declaration uses `sorry`"]  # that of the other theorem


async def test_the_tooltip_lists_the_others_with_their_verdicts(opened: Callable[..., Page]) -> None:
    page, answer = await known_page(opened)
    [hint] = await page.hints()
    assert isinstance(hint.tooltip, types.MarkupContent)
    assert hint.tooltip.kind == types.MarkupKind.Markdown
    head, *rest = hint.tooltip.value.split("\n\n")
    assert head == f"```lean\n{answer['suggestions'][0]['text']}\n```"
    assert rest[0] == "closes the goal"
    assert rest[-1] == f"{answer['summary']} (starter)"
    others = [line for line in hint.tooltip.value.splitlines() if line.startswith("- ")]
    assert len(others) == min(9, len(answer["suggestions"]) - 1)
    words = {"closes": "closes the goal", "progress": "leaves ", "unchecked": "not checked"}
    for line, each in zip(others, answer["suggestions"][1:], strict=False):
        assert each["text"] in line
        assert words[each["verdict"]] in line


@pytest.mark.parametrize(("lines", "count"), [((0, 5), 0), ((5, 6), 1), ((4, 7), 1), ((6, 9), 0)])
async def test_only_hints_in_the_range_asked_for(
    opened: Callable[..., Page], lines: tuple[int, int], count: int
) -> None:
    page, _ = await known_page(opened)
    assert len(await page.hints(*lines)) == count


async def test_an_edit_below_keeps_it(opened: Callable[..., Page]) -> None:
    page, _ = await known_page(opened)
    before = await page.hints()
    page.replace("theorem u : True := trivial", "theorem v : 𝔸 = 𝔸 := rfl")
    assert await page.hints() == before
    assert await page.steps(page.at("/ sorry", 2))


@pytest.mark.parametrize(
    ("old", "new"),
    [("first", "1st"), ("(hp : p)", "(hr : p)"), ("/ sorry", "/ rfl"), ("/- 𝔸𝔸", "/- 𝔸 𝔸"), ("/ sorry", "/ sorryy")],
    ids=["far above", "in the statement", "in place", "before it", "at its end"],
)
async def test_an_edit_above_or_in_place_takes_it_away(opened: Callable[..., Page], old: str, new: str) -> None:
    page, _ = await known_page(opened)
    page.replace(old, new)
    assert await page.hints() == []


async def test_two_goals_have_two_hints_in_their_order(opened: Callable[..., Page]) -> None:
    page, _ = await known_page(opened)
    await page.suggest(page.at("  sorry", 2))
    hints = await page.hints()
    assert [hint.position.line for hint in hints] == [2, 5]


async def test_typing_at_an_empty_line_takes_the_hint_away(opened: Callable[..., Page]) -> None:
    page = opened("theorem t (p : Prop) : p → p := by\n  intro h\n  \n")
    await page.suggest(types.Position(2, 2))
    [hint] = await page.hints()
    assert hint.position == types.Position(2, 2)
    page.edit(types.Range(types.Position(2, 2), types.Position(2, 2)), "e")
    assert await page.hints() == []


async def test_closing_and_opening_again_starts_afresh(opened: Callable[..., Page], folder: Path) -> None:
    page, _ = await known_page(opened)
    page.close()
    again = page.editor.open(folder / Path(page.uri).name, page.text)
    assert await again.hints() == []
