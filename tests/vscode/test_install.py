"""The first use: nothing is installed; the extension asks, installs from its own wheel, and works.

The packages come from a wheelhouse that holds only their metadata (`vscode_wheelhouse.py`); pip, the virtual
environment and llmstep's wheel are real.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from playwright.async_api import expect
from vscode_lean import OR
from vscode_wheelhouse import make_wheelhouse
from vscode_window import until, window_of_workbench
from vscode_workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from vscode_lean import Judge
    from vscode_window import Window

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def workbench(
    tmp_path_factory: pytest.TempPathFactory,
    program: Path,
    vsix: Path,
    user_settings: dict[str, Any],
    machine_settings: Callable[..., dict[str, Any]],
) -> AsyncIterator[Workbench]:
    """A workbench whose Python has no llmstep."""
    home = tmp_path_factory.mktemp("install")
    more = {
        "llmstep.python": sys._base_executable,
        "llmstep.install.torch": "cpu",
        "llmstep.install.wheelhouse": str(make_wheelhouse(home / "wheels")),
    }
    made = Workbench(
        home,
        program,
        extensions=[vsix],
        user=user_settings,
        machine=machine_settings(**more),
        environment={"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""},  # nothing but the wheelhouse
    )
    async with made:
        yield made


KEPT = """() => new Promise((resolve) => {
    const opened = indexedDB.open('vscode-web-state-db-global');
    opened.onsuccess = () => {
        const asked = opened.result.transaction('ItemTable').objectStore('ItemTable').get('llmstep.llmstep');
        asked.onsuccess = () => { opened.result.close(); resolve(asked.result); };
    };
})"""
"""What the workbench has written of what the extension remembers, which it does some time later."""

window = window_of_workbench("module")


async def test_the_extension_carries_its_wheel_and_the_versions_that_were_tested(vsix: Path) -> None:
    with zipfile.ZipFile(vsix) as packed:
        carried = {name.rpartition("/")[2] for name in packed.namelist() if name.startswith("extension/wheel/")}
    assert len(carried) == 2
    assert "constraints.txt" in carried


async def test_asked_put_off_cancelled_completed_used_removed(
    window: Window, workbench: Workbench, judge: Judge
) -> None:
    environment = workbench.data / "User" / "globalStorage" / "llmstep.llmstep" / "environment"
    file = await window.open("Install.lean", OR)

    # One notification says what is installed, how large it is, and with which Python.
    question = await window.message("llmstep installs")
    assert question.startswith(
        "llmstep installs llmstep and PyTorch for the CPU (about 0.3 GB to download, 1.3 GB on the disk) "
        "into a Python environment of its own, with Python "
    )
    assert sys._base_executable in question
    await window.picture("11-install")
    assert workbench.companions() == []
    assert not environment.exists()

    # Put off: the next window does not ask, and a command does.
    await window.notification("llmstep installs").get_by_role("button", name="Not Now").click()
    await expect(window.notification("llmstep installs")).to_have_count(0)
    await until("what the workbench keeps of the extension", lambda: window.page.evaluate(KEPT))
    await window.load()
    file = await window.open("Install.lean", OR)
    await window.status_says("does not run")
    assert await window.notification("llmstep installs").count() == 0
    await window.command("llmstep: Install or Repair")

    # Cancelled once work is in hand: nothing is left.
    install = window.notification("llmstep installs").get_by_role("button", name="Install", exact=True)
    await install.click()
    progress = window.notification("Installing llmstep")
    await until("the environment", environment.exists)
    await progress.get_by_role("button", name="Cancel").click()
    assert await window.message("was cancelled") == "The installation was cancelled, and its files were removed."
    assert not environment.exists()
    assert workbench.companions() == []
    await window.clear_messages()

    # Asked for again and left alone, it is done; the steps are shown, the marker is there, the server runs from there.
    await asyncio.sleep(1)  # of more than three notifications within 0.8 seconds VS Code hides the last
    await window.command("llmstep: Install or Repair")
    await install.click()
    steps: list[str] = []

    async def done() -> bool:
        texts = [text for text in await window.messages() if text.startswith("Installing llmstep: ")]
        steps.extend(text for text in texts if text not in steps)
        if len(steps) == 3:
            await window.picture("12-installing")
        assert await window.notification("failed").count() == 0, await window.messages()
        return await window.notification("llmstep is installed.").count() > 0

    await until("the end of the installation", done)
    await window.picture("13-installed")
    shown = "\n".join(steps)
    assert (
        shown.index("Making an environment") < shown.index("Installing PyTorch") < shown.index(": Installing llmstep")
    )
    assert json.loads((environment / "llmstep-installed.json").read_text())["torch"] == "cpu"
    [companion] = await until("the server", workbench.companions)
    assert companion.cmdline()[0] == str(environment / "bin" / "python")
    where = [str(environment / "bin" / "python"), "-I", "-c", "import llmstep; print(llmstep.__file__)"]
    assert (await asyncio.to_thread(subprocess.check_output, where, text=True)).startswith(str(environment))
    await window.clear_messages()

    await file.place("/ sorry", 2)
    step = (await window.suggest())[0].removesuffix("✓").strip()
    await window.press("Enter")
    assert await file.saved() == OR.replace("sorry", step)
    assert judge(file.path) == []

    # And removed again, when asked twice.
    await window.command("llmstep: Uninstall the Python Environment")
    dialog = window.page.locator(".monaco-dialog-box")
    await expect(dialog).to_contain_text("Remove the Python environment of llmstep?")
    await dialog.get_by_role("button", name="Remove").click()
    await window.message("The Python environment of llmstep was removed.")
    assert not environment.exists()
    await until("the server to end", lambda: workbench.companions() == [])
    await file.close()
