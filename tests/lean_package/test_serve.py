"""The whole way, nothing faked: the tactic in a real Lean server, curl, `llmstep serve`, and the starter model."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

AND = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """`llmstep serve` with the starter model and a token; what the environment of Lean must say about it."""
    token = tmp_path_factory.mktemp("served") / "token"
    token.write_text("open-sesame-open-sesame\n")
    options = ["--model", "starter", "--port", "0", "--token-file", str(token)]
    command = [sys.executable, "-m", "llmstep", "serve", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("llmstep listens at http://127.0.0.1:"), line
        port = line.split(":")[2].split()[0].rstrip("/")
        try:
            yield {"LLMSTEP_PORT": port, "LLMSTEP_TOKEN_FILE": str(token)}
        finally:
            process.terminate()


def test_from_the_goal_to_an_edit_that_closes_it(editor_with: Any, served: dict[str, str]) -> None:
    """The prefix is all but a bracket, so that the model's part is small and the way is long."""
    document = editor_with(**served).open(AND + '  llmstep "exact ⟨hp, hq"\n')
    action = document.actions[0]
    assert action.title == "llmstep: exact ⟨hp, hq⟩ (closes the goal)"
    assert document.change(document.applied(action)).wait().messages == []


def test_from_goals_to_proofs(editor_with: Any, served: dict[str, str]) -> None:
    """Without a prefix, always taking the first quick fix: some of these end in a proof that Lean takes."""
    editor = editor_with(**served)
    goals = [
        "theorem a (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n",
        "theorem b (p q : Prop) (h : p ∧ q) : q := by\n",
        "theorem c (p q : Prop) (hp : p) : p ∨ q := by\n",
        "theorem d (p q r : Prop) (f : p → q) (g : q → r) : p → r := by\n",
        "theorem e (p : Prop) : p → p := by\n",
        "theorem f (n : Nat) : n = n := by\n",
    ]
    proved = 0
    for goal in goals:
        document = editor.open(goal + "  llmstep\n")
        for _ in range(5):
            if not document.actions:
                break
            action = document.actions[0]
            closed = "closes the goal" in action.title
            text = document.applied(action)
            document.change(text if closed else text.rstrip("\n") + "\n  llmstep\n").wait()
            if closed:
                break
        proved += document.messages == []
    assert proved >= 2


def test_every_suggestion_starts_with_the_prefix(editor_with: Any, served: dict[str, str]) -> None:
    options = "set_option llmstep.count 3\n"
    document = editor_with(**served).open(options + AND + '  llmstep "constructor"\n  exact ⟨hp, hq⟩\n')
    assert document.said.split(",")[0] in ("llmstep: 1 suggestion", "llmstep: 2 suggestions", "llmstep: 3 suggestions")
    assert all(action.text.startswith("constructor") for action in document.actions)


def test_a_wrong_token_is_told(editor_with: Any, served: dict[str, str], tmp_path: Any) -> None:
    (tmp_path / "wrong").write_text("shut-sesame-shut-sesame")
    document = editor_with(**{**served, "LLMSTEP_TOKEN_FILE": str(tmp_path / "wrong")}).open(AND + "  llmstep\n")
    assert document.said.startswith("llmstep: the server says: ")
    assert "token" in document.said
