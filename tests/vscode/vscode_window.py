"""One window of the workbench, as the user has it: keys, menus, texts on the screen.

Every step waits for what it leads to. The selectors are those of VS Code 1.139.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import pytest_asyncio
import waiting
from playwright.async_api import TimeoutError as PageTimeoutError
from playwright.async_api import expect
from vscode_file import OpenFile as OpenFile
from vscode_file import plain as plain
from vscode_workbench import SECONDS, Workbench

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, Literal

    from playwright.async_api import Locator, Page

expect.set_options(timeout=SECONDS * 1000)

MENU = ".action-widget .monaco-list-row.action"
STEP_MS = 15_000
"""Longest wait for a part of what is tried again."""
NOTIFICATION = ".notification-toast"
STATUS = re.compile("llmstep|starter|·")
PICK = ".quick-input-list .monaco-list-row"
RESULTS = ".quick-input-widget:visible .quick-input-title:text-matches('^llmstep: ')"
"""The title of the menu of results."""


async def until(what: str, condition: Callable[[], Any], *, seconds: float = SECONDS) -> Any:
    """Wait until a condition, which may be a coroutine function, gives something; that."""
    return await waiting.until(condition, seconds, pause=0.05, failure=f"waited in vain for {what}")


class Window:
    """A page with a workbench in it."""

    def __init__(self, workbench: Workbench, page: Page, pictures: Path) -> None:
        self.workbench = workbench
        self.folder = workbench.folder
        self.page = page
        self.pictures = pictures
        self.console: list[str] = []
        page.set_default_timeout(SECONDS * 1000)
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))

    # --- files

    async def load(self, folder: Path | None = None, **start: Any) -> None:
        """Load the page, with the workbench's folder or another one; `start` as for `Workbench.address`."""
        self.folder = folder or self.workbench.folder
        await self.page.goto(self.workbench.address(folder=self.folder, **start))
        await self.page.locator(".monaco-workbench .part.statusbar").wait_for()

    async def open(self, name: str, text: str) -> OpenFile:
        """Write a file into the folder and open it."""
        path = self.folder / name
        path.write_text(text)
        editor = self.page.locator(f'.editor-instance .monaco-editor[data-uri$="{name}"]')

        async def shown() -> None:
            """The list may be renewed just when Enter comes, which then opens nothing."""
            await self.press("Control+p")
            await self._type_into_pick(str(path))
            await self.page.locator(PICK + ".focused").filter(has_text=name).wait_for(timeout=STEP_MS)
            await self.press("Enter")
            await editor.wait_for(timeout=STEP_MS)

        await self._again(f"the file {name} in an editor", shown)
        await expect(self.page.locator(f'.tab.active[data-resource-name="{name}"]')).to_be_visible()
        return OpenFile(self, path, text, editor)

    # --- keys and commands

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def type(self, text: str) -> None:
        """Insert text as the keyboard would."""
        await self.page.keyboard.type(text)

    async def command(self, title: str) -> None:
        """Run a command from the palette by its title."""
        label = self.page.locator(".monaco-icon-label-container").filter(has_text=re.compile(f"^{re.escape(title)}$"))

        async def chosen() -> None:
            await self.press("F1")
            await self._type_into_pick(">" + title)
            await self._walk_to(self.page.locator(PICK), self.page.locator(PICK).filter(has=label).first)
            await self.press("Enter")

        await self._again(f"the command {title}", chosen)

    async def _again(self, what: str, act: Callable[[], Awaitable[None]]) -> None:
        """Do something with an input box, again where the box has gone: what takes the focus late closes it."""

        async def done() -> bool:
            try:
                await act()
            except (PageTimeoutError, AssertionError):
                await self.picture(f"again-{re.sub('[^A-Za-z0-9]+', '-', what)}-{time.monotonic():.0f}")
                await self.press("Escape")
                return False
            return True

        await until(what, done)

    async def _walk_to(self, rows: Locator, row: Locator) -> None:
        """Move the focus of a list to a row with the keyboard."""
        await row.wait_for(timeout=STEP_MS)
        for _ in range(await rows.count() + 1):
            if "focused" in (await row.get_attribute("class") or ""):
                break
            await self.press("ArrowDown")
        await expect(row).to_have_class(re.compile(r"\bfocused\b"), timeout=STEP_MS)

    async def _type_into_pick(self, text: str, milliseconds: float = STEP_MS) -> None:
        field = self.page.locator(".quick-input-widget .quick-input-box input").first
        await field.wait_for(timeout=milliseconds)
        await field.fill(text, timeout=milliseconds)

    async def go_to(self, line: int, column: int) -> None:
        """Put the cursor at a line and a column, both counted from 1 in characters, as the status bar shows them."""
        there = self.page.locator('.statusbar-item[id="status.editor.selection"]')

        async def gone() -> None:
            await self.press("Control+g")
            await self._type_into_pick(f":{line}:{column}")
            await self.press("Enter")
            await expect(self.page.locator(".quick-input-widget")).to_be_hidden(timeout=STEP_MS)
            await expect(there).to_contain_text(f"Ln {line}, Col {column}", timeout=STEP_MS)

        await self._again(f"the cursor at {line}:{column}", gone)

    async def answer(self, text: str) -> None:
        """Fill the open input box, and press Enter."""
        await self._type_into_pick(text, SECONDS * 1000)
        await self.press("Enter")

    async def picks(self, *, until_one_has: str) -> list[list[str]]:
        """The rows of the open picker that are on the screen, once one contains a text: label, description, detail."""
        rows = self.page.locator(PICK)
        await rows.filter(has_text=until_one_has).first.wait_for()
        parts = "row => [...row.querySelectorAll('.label-name, .label-description')].map(each => each.textContent)"
        return [[plain(text) for text in await row.evaluate(parts)] for row in await rows.all()]

    # --- the menu of quick fixes

    async def menu(self, *, until_it_has: str) -> list[str]:
        """Open the menu of quick fixes, again and again until it has an entry that contains a text.

        An open menu is never refreshed. Its titles, in their order.
        """
        wanted = self.page.locator(MENU).filter(has_text=until_it_has).first
        deadline = time.monotonic() + SECONDS
        while True:
            await self.press("Control+.")
            try:
                await wanted.wait_for(timeout=3000)
                return await self.menu_titles()
            except PageTimeoutError:
                assert time.monotonic() < deadline, f"no quick fix {until_it_has!r}"
                await self.press("Escape")

    async def suggest(self, *, until_one_has: str = "✓") -> list[str]:
        """Press the keys for suggestions at the cursor; the steps in the menu that it opens, of which one has a text.

        It is run again where they have not: settings reach the server some time after they were changed.
        """

        async def found() -> list[str] | None:
            await self.press("Alt+m", "Alt+n")
            steps = await self.results()
            if any(until_one_has in step for step in steps):
                return steps
            await self.press("Escape")
            return None

        return list(await until(f"a suggestion with {until_one_has}", found))

    async def results(self, *, until_one_has: str = "") -> list[str]:
        """The titles of the steps in the menu that a run opens, once one contains a text."""
        await expect(self.page.locator(RESULTS)).to_be_visible()
        titles = [title for title, *_ in await self.picks(until_one_has=until_one_has)]
        return [title for title in titles if title not in ("More suggestions", "Complete the proof")]

    async def menu_titles(self) -> list[str]:
        """The titles in the open menu."""
        return [plain(text) for text in await self.page.locator(MENU).all_inner_texts()]

    async def choose(self, title: str) -> None:
        """Take an entry of the open menu, with the keyboard."""
        await self._walk_to(self.page.locator(MENU), self.page.locator(MENU).filter(has_text=title).first)
        await self.press("Enter")

    # --- what the workbench says

    def notification(self, text: str) -> Locator:
        return self.page.locator(NOTIFICATION).filter(has_text=text)

    async def message(self, text: str) -> str:
        """The full sentence of the notification that contains a text, once it is there."""
        shown = self.notification(text).locator(".notification-list-item-message").first
        await shown.wait_for()
        return plain(await shown.inner_text())

    async def messages(self) -> list[str]:
        """The notifications that are on the screen."""
        found = await self.page.locator(NOTIFICATION + " .notification-list-item-message").all_inner_texts()
        return [plain(text) for text in found]

    async def clear_messages(self) -> None:
        await self.command("Notifications: Clear All Notifications")
        await expect(self.page.locator(NOTIFICATION)).to_have_count(0)

    async def status(self) -> str:
        """What the language status of the extension says: model and device, then what it does, in one line."""
        await self.page.locator('[id="status.languageStatus"]').hover()
        shown = self.page.locator(".hover-language-status .element").filter(has_text=STATUS).first
        try:
            await shown.wait_for(timeout=3000)
            return " ".join(plain(await shown.inner_text()).split())
        except PageTimeoutError:
            return ""
        finally:
            await self.page.mouse.move(640, 400)

    async def status_says(self, pattern: str) -> str:
        """The language status, once it matches."""

        async def matching() -> str | None:
            said = await self.status()
            return said if re.search(pattern, said) else None

        return str(await until(f"the status {pattern}", matching))

    # --- pictures

    async def picture(self, name: str) -> None:
        """Keep a picture of the window."""
        self.pictures.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=self.pictures / f"{name}.png")


NewWindow = Callable[..., AbstractAsyncContextManager[Window]]
"""Opens a window of a workbench that shows nothing yet, and closes it in the end.

Takes `width` and `height` in CSS pixels, and `scale`, device pixels for each of them."""


def window_of_workbench(scope: Literal["session", "module"]) -> Any:
    """The fixture of a window with the folder of the fixture `workbench`."""

    @pytest_asyncio.fixture(scope=scope, loop_scope="session")
    async def window(workbench: Workbench, new_window: NewWindow) -> AsyncIterator[Window]:
        async with new_window(workbench) as made:
            await made.load()
            yield made

    return window
