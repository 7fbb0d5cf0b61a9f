"""Generated theorems, run by the real Lean."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from llmstep.errors import LlmstepError
from starter import dataset
from starter.dataset import EXTRA, FAMILIES, draw_theorems, make_shard, part_of, split
from starter.lean_run import Pair, checked_pairs, first_goal, first_goals, messages
from starter.names import KEYWORDS, Namer, rule_name
from starter.plain import plain_pair
from starter.proof import Step
from starter.script import Theorem, write_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def command(lean: Path) -> list[str]:
    return [str(lean)]


def test_lean_accepts_nearly_all_that_is_drawn(command: list[str]) -> None:
    extra = {name: draw for families, _ in EXTRA.values() for name, draw in families.items()}
    for family, (draw, _) in {**FAMILIES, **extra}.items():
        rng = Random(11)
        theorems = [theorem for _ in range(60) if (theorem := draw(rng)) is not None]
        pairs, refused = checked_pairs(command, theorems)
        assert len(theorems) >= 40, family
        assert len(refused) <= 0.1 * len(theorems), (family, refused)
        assert len(pairs) >= len(theorems) - len(refused)
        assert {pair.family for pair in pairs} == {family}


def test_the_same_seed_gives_the_same_pairs_and_another_seed_gives_others(command: list[str]) -> None:
    first, again, other = (make_shard(command, seed, 40) for seed in (3, 3, 4))
    assert first == again
    assert not {p.theorem for p in first} & {p.theorem for p in other}


def test_goals_are_as_lean_prints_them_and_bullets_are_no_part_of_a_tactic(command: list[str]) -> None:
    proof = Step("constructor", (Step("exact hp"), Step("cases hq", (Step("exact ‹q›"), Step("assumption")))))
    theorem = Theorem("propositional", "(p q : Prop) (hp : p) (hq : q ∨ q) : p ∧ q", proof)
    pairs, refused = checked_pairs(command, [theorem])
    assert refused == []
    assert [(pair.goal, pair.tactic) for pair in pairs] == [
        ("p q : Prop\nhp : p\nhq : q ∨ q\n⊢ p ∧ q", "constructor"),
        ("case left\np q : Prop\nhp : p\nhq : q ∨ q\n⊢ p", "exact hp"),
        ("case right\np q : Prop\nhp : p\nhq : q ∨ q\n⊢ q", "cases hq"),
        ("case right.inl\np q : Prop\nhp : p\nh✝ : q\n⊢ q", "exact ‹q›"),
        ("case right.inr\np q : Prop\nhp : p\nh✝ : q\n⊢ q", "assumption"),
    ]


def test_a_theorem_that_lean_refuses_gives_no_pair_and_does_not_disturb_its_neighbours(command: list[str]) -> None:
    good = Theorem("x", "(p : Prop) (h : p) : p", Step("exact h"))
    wrong = Theorem("x", "(p q : Prop) (h : p) : q", Step("exact h"))
    open_goal = Theorem("x", "(p q : Prop) (h : p) : p ∧ q", Step("constructor", (Step("exact h"),)))
    gave_up = Theorem("x", "(p : Prop) : p", Step("sorry"))
    no_syntax = Theorem("x", "(p : Prop) (h : p) : p", Step("exact ⟨"))
    pairs, refused = checked_pairs(command, [good, wrong, open_goal, gave_up, no_syntax, good])
    assert [pair.theorem for pair in pairs] == [good.statement, good.statement]
    assert len(refused) == 4


@pytest.mark.parametrize(
    ("script", "complaint", "timeout"),
    [
        ("kill -9 $$", "ended with status", 60),
        ("echo '{no json'", "printed no JSON", 60),
        ("exec sleep 600", "was still busy", 0.5),
    ],
)
def test_a_lean_that_breaks_down_gives_no_half_result(
    tmp_path: Path, script: str, complaint: str, timeout: float
) -> None:
    fake = tmp_path / "lean"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    with pytest.raises(LlmstepError, match=complaint):
        messages([str(fake)], "example : True := trivial\n", timeout=timeout)
    with pytest.raises(LlmstepError, match="could not be started"):
        messages([str(tmp_path / "none")], "")


def test_a_file_with_more_errors_than_lean_reads_on_after_is_refused(command: list[str]) -> None:
    wrong = Theorem("x", "(p q : Prop) (h : p) : q", Step("exact h"))
    with pytest.raises(LlmstepError, match="too many errors"):
        checked_pairs(command, [wrong] * 101)


def test_a_statement_that_lean_refuses_is_named(command: list[str]) -> None:
    with pytest.raises(ValueError, match=r"no\.such p"):
        first_goals(command, ["(p : Prop) (h : p) : p", "(p : Prop) : no.such p"])


def test_the_first_of_several_goals_is_taken() -> None:
    assert first_goal("case a\nh : p\n⊢ p\n\ncase b\n⊢ q") == "case a\nh : p\n⊢ p"


def test_each_tactic_stands_below_its_trace() -> None:
    theorem = Theorem("x", ": True ∧ True", Step("constructor", (Step("trivial"), Step("trivial"))))
    source, (placed,) = write_file([theorem])
    lines = source.splitlines()
    assert lines[placed.first - 1] == "example : True ∧ True := by"
    for number, tactic in placed.tactics.items():
        assert lines[number - 1].lstrip(" ·") == "trace_state"
        assert lines[number].strip() == tactic


def test_no_theorem_and_no_held_out_goal_is_in_two_parts(command: list[str]) -> None:
    pairs = make_shard(command, 8, 250)
    goal = "p q : Prop\nh₁ : p\nh₂ : q\n⊢ p"
    names = [f"a long statement of number {number}" for number in range(300)]
    twice = [Pair("A B : Prop\nk : A\nl : B\n⊢ A", "exact k", "x", name) for name in names if part_of(name) != "valid"]
    parts = split([*pairs, *twice])
    theorems = {name: {pair.theorem for pair in chosen} for name, chosen in parts.items()}
    assert not theorems["train"] & theorems["test"]
    assert not theorems["train"] & theorems["valid"]
    assert not theorems["test"] & theorems["valid"]
    train_goals = {pair.goal for pair in parts["train"]}
    assert goal in train_goals
    assert not train_goals & {pair.goal for name in ("valid", "test") for pair in parts[name]}
    assert max(Counter((pair.goal, pair.tactic) for pair in parts["train"]).values()) <= max(dataset.MAX_ALIKE.values())
    assert sum(part_of(name) == "test" for name in names) in range(1, 20)


def test_shards_are_written_once(tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "SHARD_DRAWS", 20)
    said: list[str] = []
    monkeypatch.setattr(dataset.make_shard, "__defaults__", (20, FAMILIES))
    dataset.generate(command, tmp_path / "shards", 2, 2, said.append)
    files = sorted((tmp_path / "shards").iterdir())
    assert [file.name for file in files] == [
        "00000.jsonl",
        "00001.jsonl",
        "selecting-00000.jsonl",
        "short-00000.jsonl",
        "structures-00000.jsonl",
    ]
    before = [(file.stat().st_mtime_ns, file.read_text()) for file in files]
    dataset.generate(command, tmp_path / "shards", 2, 1, said.append)
    assert [(file.stat().st_mtime_ns, file.read_text()) for file in files] == before
    counts = dataset.write_splits(tmp_path / "shards", tmp_path / "data")
    lines = (tmp_path / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    whole = [json.loads(line) for line in lines]
    begun = [record for record in whole if "prefix" in record]
    assert sum(counts["train"].values()) == len(lines) - len(begun) > 20
    assert begun
    assert all(record["tactic"].startswith(record["prefix"]) for record in begun)
    short = (tmp_path / "data" / "short-train.jsonl").read_text(encoding="utf-8").splitlines()
    assert 0 < len(short) <= len(lines)


@pytest.mark.parametrize(
    ("goal", "tactic", "plain", "step"),
    [
        ("A : Prop\nk : A\n⊢ A → A", "intro hA", "p : Prop\nh₁ : p\n⊢ p → p", "intro h₂"),
        ("A : Prop\nh : A ∨ A\n⊢ A", "rcases h with hA | h₁", "p : Prop\nh₁ : p ∨ p\n⊢ p", "rcases h₁ with h₂ | h₃"),
        ("⊢ ∀ (k : Nat), 0 ≤ k", "intro k", "⊢ ∀ (x : Nat), 0 ≤ x", "intro x"),
        ("A : Prop\nk : A\n⊢ A", "have h := k", "p : Prop\nh₁ : p\n⊢ p", "have h₂ := h₁"),
    ],
)
def test_pairs_with_plain_names(goal: str, tactic: str, plain: str, step: str) -> None:
    assert plain_pair(Pair(goal, tactic, "x", "y")) == Pair(plain, step, "x", "y")


def test_a_pair_whose_step_would_mean_another_thing_is_left_out() -> None:
    assert plain_pair(Pair("A : Prop\nk : A\n⊢ A", "exact p k", "x", "y")) is None


def test_equal_pairs_and_goals_that_are_kept_back() -> None:
    statements = [f"s{number}" for number in range(40) if part_of(f"s{number}") == "train"]
    pairs = [Pair(f"A{n} : Prop\nk : A{n}\n⊢ A{n}", "exact k", "x", s) for n, s in enumerate(statements)]
    assert len(split(pairs)["train"]) == len(pairs) <= dataset.MAX_ALIKE[dataset.FIRST]
    for letters in ("B", "BCDEFG"):
        more = " ".join(letters)
        longer = [replace(pair, goal=f"{more} : Prop\n{pair.goal}") for pair in pairs]
        (plain, *_) = kept = split(longer)["train"]
        assert len(kept) == min(len(pairs), dataset.max_alike(plain.goal))
    assert dataset.max_alike("⊢ p" * 20) < dataset.max_alike("⊢ p" * 10) < dataset.max_alike("⊢ p")
    assert split(pairs, {"p : Prop\nh₁ : p\n⊢ p"})["train"] == []


def test_names_of_new_hypotheses_follow_from_the_context_alone() -> None:
    p, not_p, rain = ("at", "p", ()), ("not", ("at", "p", ())), ("at", "rain", ())
    assert rule_name(p, ()) == "hp"
    assert rule_name(not_p, ()) == "hnp"
    assert rule_name(rain, ()) == "h"
    assert rule_name(("and", p, rain), {"h", "h₁"}) == "h₂"
    assert rule_name(p, {"hp"}) == "h"


def test_statement_names_are_varied_and_never_taken_twice() -> None:
    seen = set()
    for seed in range(200):
        namer = Namer(Random(seed))
        names = [namer.hypothesis(("at", "p", ())) for _ in range(6)]
        assert len(set(names)) == 6
        assert not KEYWORDS & set(names)
        seen.update(names)
    assert len(seen) > 300


def test_no_theorem_is_drawn_twice() -> None:
    statements = [theorem.statement for theorem in draw_theorems(21, 200)]
    assert len(set(statements)) == len(statements) > 120
