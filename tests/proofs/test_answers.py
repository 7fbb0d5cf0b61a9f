"""The proof in a model's answer: fences, talk, thoughts, restated theorems, lost indentation, cut off answers."""

from __future__ import annotations

import pytest

from llmstep.lean.step import step_of
from llmstep.proofs.answer import code_blocks, visible
from llmstep.proofs.restated import Wanted, opened_in, proofs_in

WANTED = Wanted(name="t")
T = "theorem t (p : Prop) (h : p) : p"

# What a model answers, and the first reading of it; None where it holds no proof.
ANSWERS = {
    "a fence with talk around it": (f"Sure!\n```lean4\n{T} := by\n  exact h\n```\nDone.", "exact h"),
    "no fence": (f"The proof is:\n\n{T} := by\n  intro x\n  exact h\n\nThis works because of h.", "intro x\nexact h"),
    "steps alone": ("```lean\nexact h\n```", "exact h"),
    "steps without a fence": ("exact h", "exact h"),
    "`by` in front": ("```lean\nby\n  exact h\n```", "exact h"),
    "`:= by` in front": ("```lean\n:= by\n  exact h\n```", "exact h"),
    "several fences, the last theorem counts": (
        f"```lean\n{T} := by\n  simp\n```\nNo, better:\n```lean\n{T} := by\n  exact h\n```\n"
        "As a hint:\n```lean\nfoo\n```",
        "exact h",
    ),
    "a fence of another language": (f"```python\nprint(1)\n```\n```lean\n{T} := by\n  exact h\n```", "exact h"),
    "a fence of tildes": (f"~~~lean\n{T} := by\n  exact h\n~~~", "exact h"),
    "a fence that stays open": (f"```lean4\n{T} := by\n  have a := h\n  exact", "have a := h\nexact"),
    "a thought": (f"<think>```lean\nsimp\n```</think>\n```lean\n{T} := by\n  exact h\n```", "exact h"),
    "a thought without an opening tag": (f"hm ```lean\nsimp\n``` </think>{T} := by exact h", "exact h"),
    "a thought that is cut off": (f"<think>{T} := by\n  exact h", None),
    "a lemma": ("```lean\nlemma t (p : Prop) (h : p) : p := by\n  exact h\n```", "exact h"),
    "an example": ("```lean\nexample (p : Prop) (h : p) : p := by\n  exact h\n```", "exact h"),
    "attributes and modifiers": (f"```lean\n@[simp] private {T} := by\n  exact h\n```", "exact h"),
    "a header and a name space": (
        "```lean\nimport Mathlib\nset_option maxHeartbeats 400000\nnamespace A\n\n"
        f"  {T} := by\n    exact h\n\nend A\n```",
        "exact h",
    ),
    "commands behind it": (f"```lean\n{T} := by\n  exact h\n\n#print axioms t\n```", "exact h"),
    "a term": (f"```lean\n{T} := h\n```", "exact h"),
    "a term of several lines": (f"```lean\n{T} :=\n  id\n    h\n```", "exact (id\n    h)"),
    "no `by`": (f"```lean\n{T} :=\n  exact h\n```", "exact h"),
    "no indentation": (f"```lean\n{T} := by\nintro x\nexact h\n```", "intro x\nexact h"),
    "more indentation behind the first step": (
        f"```lean\n{T} := by\n  intro x\n    exact h\n```",
        "intro x\nexact h",
    ),
    "steps behind `by` on its line": (f"```lean\n{T} := by intro x\n  exact h\n```", "intro x\nexact h"),
    "tabs": (f"```lean\n{T} := by\n\tcases h with\n\t| a => simp\n```", "cases h with\n| a => simp"),
    "Windows line ends": (f"```lean\r\n{T} := by\r\n  intro x\r\n  exact h\r\n```\r\n", "intro x\nexact h"),
    "blanks that Lean does not know": (f"```lean\n{T} := by\n\u00a0\u00a0exact\u00a0h\u200b\n```", "exact h"),
    "a word for a gap": (f"```lean\n{T} := by\n  admit\n```", "sorry"),
    "a mark of the model's format": (f"```lean\n{T} := by\n  exact h<|im_end|>", "exact h"),
    "lemmas in front": (
        f"```lean\nlemma a (x : Nat) : x = x := by\n  rfl\n\n{T} := by\n  exact h\n```",
        "have a (x : Nat) : x = x := by\n  rfl\nexact h",
    ),
    "a statement by cases": (f"```lean\n{T}\n  | x => foo\n```", None),
    "a refusal": ("I cannot prove this.", None),
    "nothing": ("", None),
}


def first(answer: str, wanted: Wanted = WANTED) -> str | None:
    proofs = [proof for block in code_blocks(answer) for proof in proofs_in(block, wanted)]
    return step_of(proofs[0]).text if proofs else None


@pytest.mark.parametrize(("answer", "proof"), ANSWERS.values(), ids=ANSWERS.keys())
def test_the_proof_in_an_answer(answer: str, proof: str | None) -> None:
    assert first(answer) == proof


@pytest.mark.parametrize(
    ("before", "body", "proof"),
    [
        ("constructor\n·", "constructor\n  · exact hp\n    done\n  · exact hq", "exact hp\ndone"),
        ("constructor", "constructor\n  exact hp\n  exact hq", "exact hp\nexact hq"),
        ("intro x\n  y", "intro x y\n  exact h", "exact h"),
        ("constructor", "exact hp", "exact hp"),
    ],
    ids=["in a bullet", "behind a step", "other line breaks", "the steps are not there"],
)
def test_steps_that_the_file_has_are_left_out(before: str, body: str, proof: str) -> None:
    assert first(f"```lean\ntheorem t : p ∧ q := by\n  {body}\n```", Wanted("t", before)) == proof


def test_name_spaces_that_an_answer_opens_are_tried_as_well() -> None:
    code = f"open Nat\nopen Foo Bar\n\n{T} := by\n  exact h\n  done"
    proofs = proofs_in(code, Wanted("t", opened=frozenset({"Nat"})))
    assert proofs == ["exact h\ndone", "open Bar Foo in\n  exact h\n  done"]


def test_an_endless_line_costs_no_time() -> None:
    answer = "```lean\n" + "theorem t : p := by simp " * 20_000
    assert code_blocks(answer)
    assert visible("<think>" * 50_000) == ""
    assert opened_in(f"open {'CategoryTheory' * 100} (Functor)\nopen Nat") == {"Nat"}
