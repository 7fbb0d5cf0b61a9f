"""Pairs from Lean files, with the goals of a real Lean server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from command_line import run
from waiting import until

from llmstep.data.project import lean_files, project_pairs
from llmstep.errors import RequestError
from llmstep.lean.server import LeanServer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.lean

STEPS = """\
/- theorem not_this (p : Prop) : p := by simp -/
namespace Deep

theorem swap (p q : Prop) (h : p ∧ q) : q ∧ p := by
  obtain ⟨hp, hq⟩ := h -- "by exact"
  constructor
  · exact hq
  · have again : p ∧ q := by
      exact ⟨hp,
        hq⟩
    exact again.1

theorem zero (n : Nat) : n + 0 = n := by
  induction n with
  | zero => rfl
  | succ n ih =>
    simp
end Deep

theorem swap' (p q : Prop) (h : p ∨ q) : q ∨ p := by
  cases h; case inl h => exact .inr h
  try exact absurd rfl
  all_goals (first | left; assumption | skip)

example (p q : Prop) (hp : p) : p ∨ q := Or.inl (by exact hp)
"""
REFUSED = """\
theorem wrong (p q : Prop) (hp : p) : q := by
  have := hp
  exact hp

theorem open_end (p : Prop) (hp : p) : p ∧ p := by
  constructor
  · exact hp
  · sorry

theorem right (p : Prop) (hp : p) : p := by
  assumption
"""
SWAP = "p q : Prop\nhp : p\nhq : q\n⊢ "
EXPECTED = [
    ("Deep.swap", "p q : Prop\nh : p ∧ q\n⊢ q ∧ p", "obtain ⟨hp, hq⟩ := h"),
    ("Deep.swap", SWAP + "q ∧ p", "constructor"),
    ("Deep.swap", "case left\n" + SWAP + "q", "exact hq"),
    ("Deep.swap", "case right\n" + SWAP + "p", "have again : p ∧ q := by\n  exact ⟨hp,\n    hq⟩"),
    ("Deep.swap", SWAP + "p ∧ q", "exact ⟨hp,\n  hq⟩"),
    ("Deep.swap", "case right\n" + SWAP.replace("⊢ ", "again : p ∧ q\n⊢ ") + "p", "exact again.1"),
    ("Deep.zero", "n : Nat\n⊢ n + 0 = n", "induction n with\n| zero => rfl\n| succ n ih =>\n  simp"),
    ("Deep.zero", "case zero\n⊢ Nat.zero + 0 = Nat.zero", "rfl"),
    ("Deep.zero", "case succ\nn : Nat\nih : n + 0 = n\n⊢ n.succ + 0 = n.succ", "simp"),
    ("swap'", "p q : Prop\nh : p ∨ q\n⊢ q ∨ p", "cases h"),
    ("swap'", "p q : Prop\nh : p\n⊢ q ∨ p", "exact .inr h"),  # `case` takes the tag away
    ("swap'", "case inr\np q : Prop\nh✝ : q\n⊢ q ∨ p", "try exact absurd rfl"),
    ("swap'", "case inr\np q : Prop\nh✝ : q\n⊢ q ∨ p", "all_goals (first | left; assumption | skip)"),
    ("example p q : Prop\nhp : p\n⊢ p", "p q : Prop\nhp : p\n⊢ p", "exact hp"),
]
ANCHORS = (
    *("obtain ⟨hp", "constructor\n", "exact hq", "have again", "exact ⟨hp,", "exact again", "induction n", "rfl\n"),
    *("simp\nend", "cases h;", "exact .inr", "try exact", "all_goals (", "exact hp)"),
)
"""How the text goes on at each step."""
BEFORE = [STEPS[: STEPS.index(anchor)] for anchor in ANCHORS]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name, text in {
        "Steps.lean": STEPS,
        "Sub/Refused.lean": REFUSED,
        "Broken.lean": "import Not.There\n\ntheorem t : True := by\n  trivial\n",
        "Plain.lean": "def two : Nat := 2\n",
        "lakefile.lean": "theorem t : True := by trivial\n",
        ".lake/packages/other/Other.lean": "theorem t : True := by trivial\n",
        "build/Made.lean": "theorem t : True := by trivial\n",
    }.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


async def test_each_step_has_the_goals_that_lean_tells(project: Path, lean_command: tuple[str, ...]) -> None:
    told: dict[str, int] = {}
    server = LeanServer(lean_command, project, timeout=120)
    try:
        files = lean_files(project)
        found = await project_pairs(server, files, 100, 120, lambda file, count: told.update({file.name: count}))
        await until(lambda: not server.processes()[1:])  # workers that were closed end soon
    finally:
        await server.stop()
    assert told == {"Broken.lean": 0, "Plain.lean": 0, "Steps.lean": 14, "Refused.lean": 1}
    assert [(pair.theorem, pair.goal, pair.tactic) for pair in found.pairs[:-1]] == EXPECTED
    assert [pair.file_context for pair in found.pairs[:-1]] == BEFORE
    assert found.pairs[-1].theorem == "right"
    assert found.pairs[-1].file_context == REFUSED[: REFUSED.index("assumption")]
    assert dict(found.left_out) == {"steps of theorems with an error or sorry": 5, "steps without a goal": 1}


async def test_a_file_that_takes_too_long_is_left_out(tmp_path: Path, lean_command: tuple[str, ...]) -> None:
    slow, quick = tmp_path / "Slow.lean", tmp_path / "Zquick.lean"
    slow.write_text("theorem t : True := by\n  repeat (first | (have := 1; clear this) | skip)\n  trivial\n")
    quick.write_text("theorem t : True := by\r\n  have :\r\n    True := by trivial\r\n  trivial\r\n", newline="")
    server = LeanServer(lean_command, tmp_path, timeout=60)
    try:
        found = await project_pairs(server, lean_files(tmp_path), 100, 4, lambda *_: None)
    finally:
        await server.stop()
    assert dict(found.left_out) == {"files that Lean cannot read": 1}
    assert [pair.tactic for pair in found.pairs] == ["have :\n  True := by trivial", "trivial", "trivial"]
    assert found.pairs[1].file_context == "theorem t : True := by\n  have :\n    True := by "  # as Lean reads it


def test_the_command_makes_pairs_of_a_project_and_of_a_file(project: Path, lean: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--lean", lean, "--valid-share", 0, "--max-chars", 30)
    said = run("data", project / "Steps.lean", "-o", out, *options)
    pairs = [json.loads(line) for line in (out / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    expected = [
        {"goal": goal, "tactic": tactic, "theorem": theorem, "file_context": before}
        for (theorem, goal, tactic), before in zip(EXPECTED, BEFORE, strict=True)
        if len(tactic) <= 30
    ]
    assert pairs == expected
    assert "no text of their file" not in said
    assert "train: 11 pairs of 4 theorems" in said
    assert "left out: 3 steps longer than 30 characters" in said


def test_a_folder_without_lean_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lakefile.lean").write_text("")
    with pytest.raises(RequestError, match="no Lean files"):
        lean_files(tmp_path)
