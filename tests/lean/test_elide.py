"""Proofs above a goal as `sorry`: which ones, and that all else stays where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from llmstep.lean.checker import FileChecker
from llmstep.lean.elide import elide
from llmstep.lean.insertion_points import find_insertion_point
from llmstep.lean.project import takes_variables_by_proof
from llmstep.lean.server import LeanServer
from llmstep.lean.text import position_at
from llmstep.settings import CheckSettings
from llmstep.types import Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LAST = "\ntheorem last : True := by\n  trivial\n"


@pytest.mark.parametrize(
    ("text", "proof"),
    [
        ("theorem t : True := by\n  trivial\n", "by\n  trivial"),
        ("theorem t : True := by trivial -- done\n", "by trivial"),
        ("theorem t : True :=\n  by\n    trivial\n\n", "by\n    trivial"),
        ("@[simp] private theorem t (h : 1 = 1 := by rfl) : True := by\n  trivial\n", "by\n  trivial"),
        ("theorem t (n : Nat) : n = n := by\n  cases n with\n  | zero => rfl\n  | succ n => rfl\n", "by\n  cases n"),
        ("lemma t : ∀ x ∈ [1, 2], x = x := by\n  /- theorem no : False := by -/\n  simp\n", "by\n  /- th"),
        ('example : "theorem s := by" = "theorem s := by" := by\n  rfl\n', "by\n  rfl"),
        ("theorem t : True := by\r\n  trivial\r\n", "by\r\n  trivial"),
        ("namespace A\n  theorem t : True := by\n    trivial\nend A\n", "by\n    trivial"),
        ("/-- First. -/\ntheorem t : True := by\n  trivial\n\n/-- Second. -/\ndef d := 1\n", "by\n  trivial"),
    ],
)
def test_a_proof_becomes_sorry(text: str, proof: str) -> None:
    start = text.rindex(proof)
    changed = elide(text + LAST, len(text))
    assert [len(line) for line in changed.split("\n")] == [len(line) for line in (text + LAST).split("\n")]
    assert changed.count("\r\n") == text.count("\r\n")
    assert changed[:start] == text[:start]
    assert changed.endswith(LAST)
    after = changed[start : -len(LAST)].split()
    assert after[0] == "sorry"
    assert " ".join(after[1:]) in {"", "-- done", "end A", "/-- Second. -/ def d := 1"}


@pytest.mark.parametrize(
    "text",
    [
        "theorem t : True := trivial\n",
        "theorem t : True := by\n",  # no proof yet
        "def d : Nat := by\n  exact 1\n",
        "instance : Inhabited Nat := by\n  exact ⟨1⟩\n",
        "theorem t : ∀ n : Nat, n = n\n  | 0 => by rfl\n  | n + 1 => by rfl\n",
        "theorem t : let x := 1; x = 1 := by\n  rfl\n",
        "theorem t : True := by\ntrivial\n",  # a proof at the margin
        "theorem t : True := by\n  trivial\nmy_command t\n",
        "  theorem t : True := by\n    trivial\n  my_command t\n",
        "theorem t : True := by\n  exact h\nwhere\n  h : True := trivial\n",
        "theorem t (n : Nat) : n = n := by\n  rfl\ntermination_by n\n",
        "mutual\ntheorem a : True := by\n  trivial\ntheorem b : True := by\n  trivial\nend\n",
        "theorem t : (True := by\n  trivial\n",  # brackets that do not match
        "/- theorem t : True := by\n  trivial -/\n",
        "theorem t : 1 + 1 = 2 := by rfl\n",  # `dsimp` may use a theorem whose proof is `rfl`
        "@[simp] theorem t (n : Nat) : n = n := by\n  rfl\n",
        "theorem t : ∀ n : Nat, n = n := by\n  intro n\n  exact rfl\n",
        "theorem t : ∀ n : Nat, n = n := by intro n; show n = n; rfl\n",
        "theorem t : ∀ n : Nat, n = n := by\n  exact fun _ => rfl\n",
        "theorem t (p : Prop) : p ↔ p := by exact Iff.rfl\n",
        "theorem t (n : Nat) : n = n := by (exact Eq.refl n)\n",
    ],
)
def test_what_text_cannot_tell_stays(text: str) -> None:
    assert elide(text + LAST, len(text)) == text + LAST


def test_below_a_variable_a_proof_stays_where_it_may_decide_what_the_theorem_is_about() -> None:
    """Before Lean 4.12 a `variable` that only the proof names is an argument of the theorem."""
    first = "theorem a : True := by\n  trivial\n"
    text = first + "section\nvariable (h : 1 = 1)\ntheorem b : True := by\n  have := h\n  trivial\nend\n" + first
    new, old = elide(text, len(text)), elide(text, len(text), variables_by_proof=True)
    assert new.count("sorry") == 3
    assert old == new[: len(first)] + text[len(first) :]


@pytest.mark.parametrize(
    ("toolchain", "careful"),
    [
        ("leanprover/lean4:v4.12.0-rc1\n", False),
        ("leanprover/lean4:v4.35.0", False),
        ("leanprover/lean4:4.9.0", True),
        ("v4.11.0", True),
        ("leanprover/lean4:v5.0.0", False),
        ("leanprover/lean4:nightly-2026-01-02", False),
        ("leanprover/lean4:nightly-2024-03-01", True),
        ("stable", True),
        ("my-own-build", True),
        (None, True),
    ],
)
def test_which_versions_take_variables_by_proof(
    toolchain: str | None, careful: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ELAN_TOOLCHAIN", raising=False)
    if toolchain is not None:
        (tmp_path / "lean-toolchain").write_text(toolchain, encoding="utf-8")
    (tmp_path / "Sub").mkdir()
    assert takes_variables_by_proof(tmp_path / "Sub") is careful


def test_what_stands_below_stays() -> None:
    once = "theorem a : True := by\n  trivial\n"
    assert elide(once + once, len(once)) == "theorem a : True :=   \nsorry    \n" + once


@pytest_asyncio.fixture
async def checker(lean_command: tuple[str, ...], tmp_path: Path) -> AsyncIterator[FileChecker]:
    server = LeanServer(lean_command, tmp_path, timeout=60)
    yield FileChecker(server, (tmp_path / "A.lean").as_uri(), CheckSettings(timeout_seconds=20), 4)
    await server.stop()


async def test_a_slow_proof_above_is_not_run(checker: FileChecker) -> None:
    """It would sleep a minute, and a check has four seconds for what stands above."""
    slow = "theorem slow (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  iterate 60 sleep 1000\n  exact ⟨hp, hq⟩\n\n"
    text = slow + "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  sorry\n"
    point = find_insertion_point(text, position_at(text, text.index("sorry")))
    assert point is not None
    assert (await checker.check(text, point, "exact slow p q hp hq")).verdict is Verdict.CLOSES
    assert (await checker.check(text, point, "exact slow p q hq hp")).verdict is Verdict.INVALID


async def test_errors_that_come_late_are_seen_in_long_files(checker: FileChecker) -> None:
    """The error of each second candidate comes after Lean has reported all that stands above."""
    above = "".join(f"theorem above{number} (p : Prop) (hp : p) : p := hp\n\n" for number in range(80))
    text = above + "theorem t (p q : Prop) (hp : p) (hq : q) : p := by\n  sorry\n"
    point = find_insertion_point(text, position_at(text, text.index("sorry")))
    assert point is not None
    for number in range(12):
        late = f"(iterate {number} sleep 5)"
        assert (await checker.check(text, point, f"({late}; exact hp)")).verdict is Verdict.CLOSES
        refused = await checker.check(text, point, f"({late}; exact hq)")
        assert refused.verdict is Verdict.INVALID
        assert refused.message.startswith("Type mismatch")
        unseen = await checker.check(text, point, f"exact (by {late}; exact hq)")
        assert unseen.verdict is Verdict.INVALID
