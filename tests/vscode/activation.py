"""How long the extension takes to activate, as VS Code itself measures it: the median over fresh windows.

    PYTHONPATH=tests python tests/vscode/activation.py WORKBENCH VSIX [TIMES]

Each time a Lean file is opened in a new window, and the time is read from the page of running extensions. Not a test.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.async_api import async_playwright
from ports import free_port
from vscode_window import Window
from vscode_workbench import Workbench

if TYPE_CHECKING:
    from playwright.async_api import Page


async def measure(program: Path, vsix: Path, times: int) -> list[int]:
    """Milliseconds, one for each window."""
    with tempfile.TemporaryDirectory() as home:
        machine = {"llmstep.python": sys.executable, "llmstep.http.port": free_port()}
        user = {"llmstep.model": "starter"}
        workbench = Workbench(Path(home) / "workbench", program, extensions=[vsix], user=user, machine=machine)
        async with workbench, async_playwright() as playwright:
            chromium = shutil.which("chromium-headless-shell")
            browser = await playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            return [await once(workbench, await browser.new_page()) for _ in range(times)]


async def once(workbench: Workbench, page: Page) -> int:
    window = Window(workbench, page, workbench.home)
    await window.load()
    await window.open("Activate.lean", "theorem t : True := trivial\n")
    await window.status_says("no model in memory")
    await window.command("Developer: Show Running Extensions")
    row = window.page.locator(".runtime-extensions-editor .monaco-list-row").filter(has_text="llmstep")
    said = await row.locator(".activation-time").inner_text()
    await window.page.close()
    found = re.search(r"(\d+)\s*ms", said)
    assert found, said
    return int(found[1])


if __name__ == "__main__":
    taken = asyncio.run(measure(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), int((*sys.argv[3:], 10)[0])))
    print(*taken, "ms; median", statistics.median(taken), "ms")
