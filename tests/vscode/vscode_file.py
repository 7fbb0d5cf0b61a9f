"""A file in the editor of a window: its cursor, its text on the disk, its hints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Locator
    from vscode_window import Window


def plain(text: str) -> str:
    """Text of the page without the blanks that Monaco renders, and the marks around inlay hints."""
    return text.replace("\xa0", " ").replace("\u200c", "").replace("\u200d", "").replace("\u2060", "").strip()


class OpenFile:
    """A file in the active editor."""

    def __init__(self, window: Window, path: Path, text: str, editor: Locator) -> None:
        self.window = window
        self.path = path
        self.text = text
        self.editor = editor

    async def place(self, mark: str, shift: int = 0) -> None:
        """Put the cursor at the first occurrence of `mark`, moved by characters."""
        before = self.text[: self.text.index(mark) + shift].split("\n")
        await self.window.go_to(len(before), len(before[-1]) + 1)

    @property
    def tab(self) -> Locator:
        """The file's tab while there is something to save."""
        return self.window.page.locator(f'.tab.active.dirty[data-resource-name="{self.path.name}"]')

    async def saved(self) -> str:
        """Save once the editor has something to save; the text that is then on disk."""
        await self.tab.wait_for()
        await self.window.press("Control+s")
        await expect(self.tab).to_have_count(0)
        self.text = self.path.read_text()
        return self.text

    def hint(self, text: str) -> Locator:
        """Inlay hints that contain a text."""
        return self.editor.locator(".view-line span[class*='dyn-rule']").filter(
            has_text=re.compile(re.escape(text).replace(r"\ ", r"\s"))
        )

    async def line(self, text: str) -> str:
        """The line that contains a text, as it is on the screen, with its hints."""
        return plain(await self.editor.locator(".view-line").filter(has_text=text).inner_text())

    async def close(self) -> None:
        """Close without saving."""
        await self.window.command("View: Revert and Close Editor")
        await expect(self.editor).to_be_hidden()
