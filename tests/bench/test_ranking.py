"""The order of suggestions: the rules, the numbers in the package, and the program that makes them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from benchmarks.ranking import Tried, assess, first_right, fit, held_out, pairs_in_order
from benchmarks.ranking_page import PAGE, page, reliability
from llmstep.ranking import FILE, chance, features, ordered
from llmstep.types import Candidate, Check, Goal, Suggestion, Verdict

GOAL = Goal("p q : Prop\n⊢ p ∧ q → q ∧ p")


def step(
    text: str, verdict: Verdict, *goals: str, score: float | None = None, prior: float | None = None
) -> Suggestion:
    source = "model" if prior is None else "lean"
    return Suggestion(Candidate(text, score, 8, source, prior), Check(verdict, goals))  # type: ignore[arg-type]


def order(*steps: Suggestion) -> list[str]:
    return [each.text for each in ordered(steps, GOAL)]


def test_the_shortest_robust_step_that_closes_the_goal_comes_first() -> None:
    long = "\n".join(f"rw [h{number}]" for number in range(12))
    on_a_line = "; ".join(f"rw [h{number}]" for number in range(12))
    found = order(
        step(long, Verdict.CLOSES, score=-0.01),
        step(on_a_line, Verdict.CLOSES, score=-0.01),
        step("omega", Verdict.CLOSES, prior=0.93),
        step("exact ⟨h.2, h.1⟩", Verdict.CLOSES, score=-0.02),
        step("intro h", Verdict.PROGRESS, "h : p ∧ q\n⊢ q ∧ p", score=-0.01),
        step("simp", Verdict.INVALID, score=-0.001),
        step("tauto", Verdict.UNCHECKED, score=-0.001),
    )
    assert found == ["exact ⟨h.2, h.1⟩", "omega", on_a_line, long, "intro h", "tauto", "simp"]


def test_of_steps_that_leave_goals_the_likelier_to_lead_on_comes_first() -> None:
    short, long = "⊢ q ∧ p", "h : p ∧ q\nhypothesis : p ∧ q ∧ p ∧ q ∧ p ∧ q\n⊢ q ∧ p ∧ q ∧ p ∧ q ∧ p"
    assert order(step("a", Verdict.PROGRESS, long, prior=0.4), step("b", Verdict.PROGRESS, short, prior=0.4)) == [
        "b",
        "a",
    ]
    assert order(step("a", Verdict.PROGRESS, short, prior=0.2), step("b", Verdict.PROGRESS, short, prior=0.6)) == [
        "b",
        "a",
    ]
    assert order(step("a", Verdict.UNCHECKED, score=-2.0), step("b", Verdict.UNCHECKED, score=-0.5)) == ["b", "a"]


def test_what_is_not_known_is_no_error() -> None:
    for each in (
        step("a", Verdict.PROGRESS),
        step("b", Verdict.PROGRESS, "", score=-1e9),
        step("c", Verdict.UNCHECKED),
    ):
        assert 0 <= chance(each, Goal("")) <= 1


def test_weights_that_made_the_data_are_found_again_on_statements_held_out() -> None:
    draw = random.Random(0)
    tried = []
    for number in range(600):
        goals = ["⊢ p" * draw.randint(1, 6) for _ in range(draw.randint(1, 3))]
        each = step(str(number), Verdict.PROGRESS, *goals, prior=draw.uniform(0.1, 0.9))
        known = features(each, GOAL)
        right = draw.random() < 1 / (1 + 2.718 ** -(1.0 + known["prior"] - known["goals"]))
        tried.append(Tried(f"s{number // 6}", GOAL, each, right, None, None))
    weights = fit(tried)
    assert weights["prior"] == pytest.approx(1, abs=0.3)
    assert weights["goals"] == pytest.approx(-1, abs=0.4)
    chances = held_out(tried)
    found = assess(chances, [each.right for each in tried])
    assert found.brier < found.brier_of_share
    assert found.ece < 0.08
    assert sum(each.count for each in found.bins) == found.steps == 600
    assert pairs_in_order(tried, lambda number: chances[number]) > 0.6
    good, mixed = first_right(tried, lambda number: chances[number])
    assert 0.5 < good / mixed <= 1
    text = page(tried, chances, found, "starter")
    assert f"Brier score {found.brier:.3f}" in text
    assert text.count("\n| `s") == 10
    assert reliability(found).count("<circle") == len(found.bins)


def test_the_page_says_what_the_package_has() -> None:
    numbers = json.loads(FILE.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    assert set(numbers["weights"]) == set(features(step("a", Verdict.PROGRESS, "⊢ p"), GOAL))
    assert f"Brier score {numbers['held_out']['brier']:.3f}" in text
    assert f"{numbers['fitted_on']['statements']} statements" in text
    assert (Path(PAGE).parent / "images" / "reliability.svg").is_file()
