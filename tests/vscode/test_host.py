"""The extension's own tests (mocha), inside a real extension host."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from vscode_workbench import SECONDS, Workbench

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vscode_window import NewWindow

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_in_the_extension_host(
    pytestconfig: pytest.Config,
    tmp_path: Path,
    program: Path,
    new_window: NewWindow,
    user_settings: dict[str, Any],
    machine_settings: Callable[..., dict[str, Any]],
) -> None:
    extension = pytestconfig.rootpath / "vscode-extension"
    build = ["node", "esbuild.mjs", "--tests"]
    await asyncio.to_thread(subprocess.run, build, cwd=extension, check=True, capture_output=True)
    report = tmp_path / "report.json"
    workbench = Workbench(
        tmp_path / "host",
        program,
        user=user_settings,
        machine=machine_settings(),
        # The driver lets tests into the extension host; with it there are no notifications on the screen.
        environment={"LLMSTEP_TEST_REPORT": str(report), "VSCODE_OPTIONS": "enable-smoke-test-driver"},
    )
    lines: list[str] = []
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with workbench, new_window(workbench) as window:
        page = window.page
        await page.expose_function("codeAutomationLog", lambda _, words: lines.append(" ".join(map(str, words))))
        await page.expose_function("codeAutomationExit", lambda code: ended.set_result(code))
        await window.load(
            payload=[
                ("extensionDevelopmentPath", workbench.remote(extension)),
                ("extensionTestsPath", workbench.remote(extension / "dist-test" / "index.js")),
            ]
        )
        status = await asyncio.wait_for(ended, 3 * SECONDS)
    results = json.loads(report.read_text()) if report.exists() else {"tests": [], "failures": []}
    for each in results["tests"]:
        print(each["duration"], "ms", each["fullTitle"])
    assert [(each["fullTitle"], each["err"]) for each in results["failures"]] == []
    assert status == 0, "\n".join(lines)
    assert len(results["tests"]) > 50
