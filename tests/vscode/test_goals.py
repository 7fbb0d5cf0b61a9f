"""Beside the Lean 4 extension: goals come through its client, and llmstep asks no Lean server of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from playwright.async_api import expect
from vscode_lean import OR
from vscode_window import MENU, until, window_of_workbench
from vscode_workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from vscode_lean import Judge
    from vscode_window import Window

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

HERE = Path(__file__).parent
VSCE = HERE.parents[1] / "vscode-extension" / "node_modules" / ".bin" / "vsce"

WAITS = """import Lean
open Lean Elab Command

elab "wait" : command => do
  let mut there := false
  while !there do
    there ← try discard <| IO.FS.readFile "GATE"; pure true catch _ => pure false
    IO.sleep 50
wait

"""
"""Lean comes to what is below once a file is there."""


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in for the Lean 4 extension, packed."""
    out = tmp_path_factory.mktemp("standin") / "lean4.vsix"
    flags = ["--no-dependencies", "--skip-license", "--allow-missing-repository", "--out", str(out)]
    subprocess.run([str(VSCE), "package", *flags], cwd=HERE / "lean4-standin", check=True, capture_output=True)
    return out


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def workbench(
    tmp_path_factory: pytest.TempPathFactory,
    program: Path,
    vsix: Path,
    standin: Path,
    user_settings: dict[str, Any],
    machine_settings: Callable[..., dict[str, Any]],
    lean_command: tuple[str, ...],
    package: Path,
) -> AsyncIterator[Workbench]:
    """A workbench with both extensions; checks are off at first, because they have to use a Lean server."""
    home = tmp_path_factory.mktemp("beside")
    made = Workbench(
        home,
        program,
        extensions=[standin, vsix],
        user=user_settings,
        machine=machine_settings(),
        folder_settings={"llmstep.check.enabled": False},
        environment={
            "LLMSTEP_TEST_LEAN_SERVER": json.dumps(lean_command),
            "LLMSTEP_TEST_LEAN_REQUESTS": str(home / "requests"),
            "LLMSTEP_TEST_LEAN_GATE": str(home / "gate"),
            "LEAN_PATH": str(package),
        },
    )
    async with made:
        yield made


window = window_of_workbench("module")


def requests(workbench: Workbench) -> list[dict[str, Any]]:
    """What the exported client was asked, and answered, after the note that it was there."""
    file = workbench.home / "requests"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def goal_questions(workbench: Workbench, since: int = 0) -> list[dict[str, Any]]:
    """The questions for goals that it was asked."""
    return [each for each in requests(workbench)[since:] if each.get("asked") == "$/lean/plainGoal"]


def answers(workbench: Workbench, since: int = 0) -> list[dict[str, Any]]:
    """The questions for goals that it answered."""
    return [each for each in requests(workbench)[since:] if each.get("method") == "$/lean/plainGoal"]


async def test_goals_come_through_the_other_extensions_client(window: Window, workbench: Workbench) -> None:
    """Also those that are asked for while its server starts for the first time."""
    file = await window.open("Beside.lean", OR)
    await until("the other extension's client", lambda: requests(workbench))
    await file.place("/ sorry", 2)
    await window.menu(until_it_has="llmstep: suggest")
    await window.choose("llmstep: suggest the next step")
    await asyncio.sleep(1)  # the question is there, and the server is not
    (workbench.home / "gate").touch()
    await expect(window.page.locator(MENU).first).to_contain_text("exact")
    titles = (await window.menu_titles())[:-2]
    assert titles
    assert not any(title.endswith("✓") for title in titles)  # nothing was checked
    await window.press("Escape")

    assert requests(workbench)[0] == {"method": "initialize"}
    [question] = answers(workbench)
    assert question["goals"] == ["p q : Prop\nhp : p\n⊢ p ∨ q"]
    assert question["params"] == {
        "textDocument": {"uri": file.path.as_uri()},
        "position": {"line": 2, "character": len("  /- 𝔸𝔸 -/ ".encode("utf-16-le")) // 2},
    }
    assert len(workbench.companions()) == 1
    assert workbench.lean_servers() == []
    await file.close()


async def test_nothing_is_offered_twice(window: Window) -> None:
    file = await window.open("Twice.lean", OR)
    await file.place("/ sorry", 2)
    titles = await window.menu(until_it_has="llmstep: suggest")
    assert titles[:2] == ["llmstep: suggest the next step", "llmstep: complete the proof"]
    assert len(set(titles)) == len(titles)
    await window.press("Escape")
    await file.close()


async def test_checks_use_a_lean_server_of_llmsteps_own(window: Window, workbench: Workbench, judge: Judge) -> None:
    """In a file that does not import the Lean package; goals come through the other client even then."""
    workbench.configure(llmstep__check__enabled=None)
    file = await window.open("Checked.lean", OR)
    await file.place("/ sorry", 2)
    before = len(requests(workbench))
    await window.suggest()
    await window.press("Enter")
    assert await file.saved() != OR
    assert judge(file.path) == []
    new = answers(workbench, before)
    assert new
    assert all(each["params"]["textDocument"]["uri"] == file.path.as_uri() for each in new)
    assert len(workbench.lean_servers()) == 1
    await file.close()


@pytest.mark.parametrize(
    ("name", "command", "by_the_client"),
    [
        ("restartServer", "Lean 4: Restart Server", True),
        ("restartFile", "Lean 4: Restart File", True),
        ("killWorkers", "Lean 4: Kill the Workers (Test)", False),
        ("stopServer", "Lean 4: Stop Server", False),
    ],
)
async def test_lean_goes_during_a_question(
    window: Window, workbench: Workbench, name: str, command: str, by_the_client: bool
) -> None:
    """The goal still comes: from the client that was asked once more, or from a Lean server of llmstep's own."""
    (workbench.home / "gate").touch()
    gate = workbench.home / f"gate-{name}"
    file = await window.open(f"{name}.lean", WAITS.replace("GATE", str(gate)) + OR)
    await file.place("/ sorry", 2)
    before = len(requests(workbench))
    await window.press("Alt+m", "Alt+n")
    await until("the question", lambda: goal_questions(workbench, before))
    # The menu of the results opens where the cursor was, and would take the keys that follow.
    await file.place("theorem u")
    await window.command(command)
    await until("the end of the command", lambda: {"done": name} in requests(workbench)[before:])
    gate.touch()
    await expect(file.hint("✓")).to_have_count(1)
    assert [message for message in await window.messages() if "llmstep" in message or "Lean" in message] == []
    goals = [each["goals"] for each in answers(workbench, before)]
    assert goals == [["p q : Prop\nhp : p\n⊢ p ∨ q"]] * by_the_client
    questions = len(goal_questions(workbench, before))
    assert questions == 2 or (questions == 1 and not by_the_client)  # a dead worker may be asked before that is known
    await file.close()


async def test_a_call_of_the_tactic_is_answered_and_its_steps_stand_once(
    window: Window, workbench: Workbench, judge: Judge
) -> None:
    """The tactic finds the companion's port, which is not the usual one; its step is there once, and first."""
    (workbench.home / "gate").touch()
    await window.command("Lean 4: Restart Server")  # the test before has stopped it
    text = "import LLMstep\n\n" + OR.replace("sorry", "llmstep")
    file = await window.open("Called.lean", text)
    await file.place("/ llmstep", 4)
    await expect(file.editor.locator(".squiggly-info").first).to_be_visible()
    titles = await window.menu(until_it_has="closes the goal")
    assert {"llmstep: more suggestions", "llmstep: complete the proof"} <= set(titles)
    assert all(title.startswith("llmstep: ") for title in titles)
    assert len(set(titles)) == len(titles)
    await expect(window.page.locator(MENU + ".focused")).to_contain_text("closes the goal")
    await window.picture("19-tactic")
    await window.press("Enter")
    assert "llmstep\n" not in await file.saved()
    await file.close()
