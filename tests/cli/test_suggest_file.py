"""`llmstep suggest FILE` with the real Lean and the starter model.

A prefix that is a whole step makes the model's answer predictable: it ends the step there.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from output_schema import checked
from processes import wait_until_gone

from llmstep.lean import process as lean_process

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Ended, Run

pytestmark = pytest.mark.lean

SWAP = """theorem swap (p q : Prop) (h : p ∧ q) : q ∧ p := by
  sorry
"""
# Eight characters of two UTF-16 units each stand before the first `sorry`, and the second is 10 characters further.
PAIR = "theorem pair (𝔸𝔸𝔸 : Prop) (h : 𝔸𝔸𝔸) : 𝔸𝔸𝔸 ∧ True := ⟨by sorry, by sorry⟩\n"
STARTER = ("--model", "starter", "--device", "cpu")


def write(folder: Path, text: str) -> str:
    file = folder / "Some File.lean"
    file.write_bytes(text.encode())
    return str(file)


def ask(llmstep: Run, file: str, line: int, column: int, lean: Path, *options: str) -> Ended:
    """In one of the two ways to name a place, by turns."""
    apart = (file, "--line", str(line), "--column", str(column))
    place = apart if line % 2 else (f"{file}:{line}:{column}",)
    return llmstep("suggest", *place, "--lean", str(lean), *STARTER, *options)


def record(ended: Ended) -> Any:
    assert ended.status == 0, ended.err
    return checked("suggest", ended.out)


def test_a_step_that_closes_the_goal(llmstep: Run, lean: Path, tmp_path: Path) -> None:
    ended = ask(llmstep, write(tmp_path, SWAP), 2, 3, lean, "--prefix", "exact ⟨h.2, h.1⟩", "--json")
    answer = record(ended)
    assert list(answer) == ["goal", "model", "elapsed_ms", "suggestions", "rejected"]
    assert (answer["goal"], answer["model"]) == ("p q : Prop\nh : p ∧ q\n⊢ q ∧ p", "starter")
    first = answer["suggestions"][0]
    assert list(first) == ["text", "score", "verdict", "source", "repaired_from", "remaining_goals"]
    assert (first["text"], first["verdict"], first["remaining_goals"]) == ("exact ⟨h.2, h.1⟩", "closes", [])
    assert first["score"] < 0
    assert ended.err.splitlines() == [
        "Asking Lean for the goal ...",
        "Loading starter ...",
        "Generating ...",
        "Checking ...",
    ]


def test_a_step_that_leaves_goals(llmstep: Run, lean: Path, tmp_path: Path) -> None:
    file = write(tmp_path, SWAP.replace("\n", "\r\n"))
    answer = record(ask(llmstep, file, 2, 99, lean, "--prefix", "constructor", "--no-automation", "--json"))
    first = answer["suggestions"][0]
    assert (first["text"], first["verdict"]) == ("constructor", "progress")
    assert first["remaining_goals"] == [
        "case left\np q : Prop\nh : p ∧ q\n⊢ q",
        "case right\np q : Prop\nh : p ∧ q\n⊢ p",
    ]


def test_for_reading(llmstep: Run, lean: Path, tmp_path: Path) -> None:
    file = write(tmp_path, SWAP)
    ended = ask(llmstep, file, 2, 3, lean, "--prefix", "constructor", "--count", "2", "--no-automation")
    lines = [line.rstrip() for line in ended.out.splitlines()]
    assert lines[:4] == ["  p q : Prop", "  h : p ∧ q", "  ⊢ q ∧ p", ""]
    assert lines[4].split()[:4] == ["1", "leaves", "2", "goals"]
    assert lines[4].endswith("  constructor")
    assert lines[-1].startswith("2 generated, ")
    assert "; starter, " in lines[-1]


def test_without_checks(llmstep: Run, lean: Path, tmp_path: Path) -> None:
    file = write(tmp_path, SWAP)
    answer = record(ask(llmstep, file, 2, 3, lean, "--prefix", "exact nonsense", "--no-check", "--json"))
    assert answer["goal"] == "p q : Prop\nh : p ∧ q\n⊢ q ∧ p"
    assert answer["suggestions"]
    assert {each["verdict"] for each in answer["suggestions"]} == {"unchecked"}


@pytest.mark.parametrize(("sorry", "goal"), [(0, "𝔸𝔸𝔸"), (1, "True")])
def test_columns_count_utf_16_units(llmstep: Run, lean: Path, tmp_path: Path, sorry: int, goal: str) -> None:
    offset = PAIR.index("sorry") if sorry == 0 else PAIR.rindex("sorry")
    column = len(PAIR[:offset].encode("utf-16-le")) // 2 + 1
    answer = record(ask(llmstep, write(tmp_path, PAIR), 1, column, lean, "--no-check", "--count", "1", "--json"))
    assert answer["goal"] == f"𝔸𝔸𝔸 : Prop\nh : 𝔸𝔸𝔸\n⊢ {goal}"


def test_nothing_found_says_why(llmstep: Run, lean: Path, tmp_path: Path) -> None:
    ended = ask(llmstep, write(tmp_path, SWAP), 2, 3, lean, "--prefix", "exact nonsense", "--count", "3")
    assert ended.status == 1
    lines = [line.rstrip() for line in ended.out.splitlines()]
    assert lines[4] == "  No suggestion."
    assert lines[-1].startswith("3 generated, ")
    assert " rejected (" in lines[-1]


def test_without_the_model_leans_own_tactics_and_what_to_do(llmstep: Run, lean: Path, tmp_path: Path) -> None:
    server = ("--engine", "openai", "--remote-url", "http://127.0.0.1:9/v1")
    ended = llmstep("suggest", f"{write(tmp_path, SWAP)}:2:3", "--lean", str(lean), *server)
    assert ended.status == 0
    assert "closes the goal" in ended.out
    assert "Nothing answers at http://127.0.0.1:9/v1. Start the server, or correct --remote-url." in ended.err
    assert "; , " not in ended.out


def test_no_goal_here(llmstep: Run, lean: Path, tmp_path: Path) -> None:
    ended = ask(llmstep, write(tmp_path, f"-- nothing to prove\n\n{SWAP}"), 1, 4, lean)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.splitlines()[-1].startswith("llmstep: There is no goal ")


def test_no_such_lean(llmstep: Run, tmp_path: Path) -> None:
    ended = ask(llmstep, write(tmp_path, SWAP), 2, 3, tmp_path / "no-such-lean")
    assert (ended.status, ended.out) == (3, "")
    error = ended.err.splitlines()[-1]
    assert error.startswith(f"llmstep: The program {tmp_path / 'no-such-lean'} of the setting llmstep.lean.command")
    assert error.count(". ") == 1


def test_as_a_process_of_its_own(lean: Path, tmp_path: Path) -> None:
    """As `make demo` runs it: nothing but the answer on stdout, and no process is left."""
    before = {each.pid for each in psutil.process_iter()}
    command = [sys.executable, "-m", "llmstep", "suggest", write(tmp_path, SWAP), "--line", "2", "--column", "3"]
    options = ["--lean", str(lean), *STARTER, "--prefix", "exact And.intro h.2 h.1", "--json"]
    done = subprocess.run([*command, *options], capture_output=True, encoding="utf-8", check=True)
    assert [each["verdict"] for each in checked("suggest", done.stdout)["suggestions"]][:1] == ["closes"]
    assert "Traceback" not in done.stderr
    wait_until_gone(
        each for each in psutil.process_iter() if each.pid not in before and str(tmp_path) in str(_environment(each))
    )


def test_ctrl_c_ends_it_and_its_lean(lean: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "llmstep", "suggest", write(tmp_path, SWAP), "--line", "2", "--column", "3"]
    process = subprocess.Popen([*command, "--lean", str(lean), *STARTER], stdout=PIPE, stderr=PIPE, encoding="utf-8")
    assert process.stderr is not None
    assert process.stderr.readline() == "Asking Lean for the goal ...\n"
    assert process.stderr.readline() == "Loading starter ...\n"
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 130
    wait_until_gone(family)


def _environment(process: psutil.Process) -> tuple[str, str]:
    """Mark and folder of a process that llmstep started; empty texts for others."""
    try:
        return process.environ().get(lean_process.MARK, ""), process.cwd()
    except (psutil.Error, OSError):
        return "", ""
