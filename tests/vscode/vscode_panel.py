"""The panel of suggestions, as the user has it: a page within the workbench's page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vscode_window import plain, until

if TYPE_CHECKING:
    from playwright.async_api import Frame, Locator
    from vscode_window import Window

AXE = Path(__file__).parents[2] / "vscode-extension" / "node_modules" / "axe-core" / "axe.min.js"


class Panel:
    """The page of the view "Suggestions"."""

    def __init__(self, window: Window) -> None:
        self.window = window

    async def frame(self) -> Frame:
        """The page itself, once it shows something."""

        async def found() -> Frame | None:
            for frame in self.window.page.frames:
                try:
                    if await frame.evaluate("document.querySelector('main h1') !== null"):
                        return frame
                except Exception:
                    continue
            return None

        frame: Frame = await until("the panel", found)
        return frame

    async def shown(self) -> bool:
        """Whether there is a panel on the screen."""
        return bool(await self.window.page.locator("iframe.webview.ready:visible").count())

    async def locator(self, selector: str) -> Locator:
        return (await self.frame()).locator(selector)

    async def texts(self, selector: str) -> list[str]:
        return [plain(text) for text in await (await self.locator(selector)).all_inner_texts()]

    async def said(self) -> str:
        """What the status line says."""
        return " ".join(await self.texts("[role=status]"))

    async def steps(self) -> list[str]:
        return await self.texts(".step code")

    async def button(self, name: str) -> Locator:
        return (await self.frame()).get_by_role("button", name=name, exact=True)

    async def focused(self) -> str:
        """The text of what has the focus in the page; empty where nothing has."""
        text = await (await self.frame()).evaluate(
            "document.hasFocus() && document.activeElement !== document.body ? document.activeElement.innerText : ''"
        )
        return plain(" ".join(str(text).split()))

    async def violations(self) -> list[dict[str, Any]]:
        """What axe finds wrong: rule, and the markup of the first element."""
        frame = await self.frame()
        await frame.evaluate(AXE.read_text(encoding="utf-8") + "; undefined")
        found = await frame.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert len(found["passes"]) > 10  # it has looked
        return [
            {"rule": each["id"], "at": each["nodes"][0]["html"], "why": each["nodes"][0]["failureSummary"]}
            for each in found["violations"]
        ]
