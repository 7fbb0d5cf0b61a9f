"""Beside the Lean 4 extension: goals come through its client, and llmstep asks no Lean server of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from playwright.async_api import expect
from vscode_lean import OR
from vscode_window import MENU, PICK, RESULTS, plain, until, window_of_workbench
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
            "LLMSTEP_TEST_QUICK_FIXES_HELD": str(home / "held"),
            "LEAN_PATH": str(package),
        },
    )
    async with made:
        yield made


window = window_of_workbench("module")


def requests(workbench: Workbench) -> list[dict[str, Any]]:
    """What the exported client was asked, and answered, after the note that it was there."""
    file = workbench.home / "requests"
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]  # the last one may be on its way


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
    before = len(requests(workbench))
    await window.choose("llmstep: suggest the next step")
    await until("the question", lambda: len(requests(workbench)) > before)  # and the server is not there
    (workbench.home / "gate").touch()
    titles = await window.results(until_one_has="exact")
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


async def test_the_menu_of_results_comes_and_stays(window: Window, workbench: Workbench) -> None:
    """Lean's own quick fixes are not there yet, new messages come, the window changes its size, the focus goes."""
    (workbench.home / "gate").touch()
    held = workbench.home / "held"
    gate = workbench.home / "gate-below"
    waits = WAITS.removeprefix("import Lean").replace("GATE", str(gate))
    file = await window.open("Stays.lean", f"import Lean\n{OR}{waits}theorem v : True := by\n  sorry\n")
    await file.place("/ sorry", 2)
    held.touch()
    try:
        await window.press("Control+.")  # a question of the user's that is open; nothing can be shown for it
        await window.press("Alt+m", "Alt+n")
        steps = await window.results(until_one_has="✓")
        gate.touch()
        await expect(file.editor.locator(".squiggly-warning")).to_have_count(2)
        await window.page.set_viewport_size({"width": 1000, "height": 700})
        await file.editor.locator(".view-line").filter(has_text="theorem v").click()
        assert await window.results() == steps
        await window.page.locator(PICK).first.click()
    finally:
        held.unlink()
        await window.page.set_viewport_size({"width": 1280, "height": 800})
    assert plain(steps[0].removesuffix("✓")) in await file.saved()
    await expect(window.page.locator(RESULTS)).to_have_count(0)
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
    await file.place("theorem u")  # the menu of results does not open then, and takes no keys
    await window.command(command)
    await until("the end of the command", lambda: {"done": name} in requests(workbench)[before:])
    gate.touch()
    await expect(file.hint("✓")).to_have_count(1)
    line = file.text[: file.text.index("/ sorry")].count("\n") + 1
    said = f"Found for line {line} of {name}.lean: "
    assert [await window.message(said)] == await window.messages()
    await window.notification(said).get_by_role("button", name="Show").click()
    await window.results(until_one_has="✓")
    await window.press("Escape")
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
