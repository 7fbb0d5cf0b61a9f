"""A file whose suggestions are in the panel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

if TYPE_CHECKING:
    from vscode_panel import Panel
    from vscode_window import OpenFile, Window

TWO = """-- 𝔸 first
theorem splits (p q : Prop) (h : p ∨ q) : q ∨ p := by
  sorry

theorem closes (p q : Prop) (hp : p) : p ∨ q := by
  skip; sorry
"""
"""The model splits the first goal in several ways, and closes the second; both have steps that Lean rejects."""

SPLITS, CLOSES = "  sorry", "; sorry"


async def suggested(window: Window, panel: Panel, name: str, at: str = SPLITS) -> OpenFile:
    """A file with a run at one of its goals, whose steps are in the panel; the menu is closed again."""
    file = await window.open(name, TWO)
    await file.place(at, 2)
    await window.suggest(until_one_has="✓" if at == CLOSES else "→")
    await window.press("Escape")
    await expect((await panel.locator("li.closes, li.progress")).first).to_be_visible()
    return file


async def said(panel: Panel, text: str) -> bool:
    return text in await panel.said()


async def back(window: Window, file: OpenFile) -> None:
    """From the panel to the editor, with the key."""
    await window.press("Escape")
    await expect(file.editor).to_have_class(re.compile(r"\bfocused\b"))


async def nothing(panel: Panel) -> bool:
    """Whether it shows no step."""
    return await panel.steps() == []
