"""From raw samples to candidates: the prefix once, duplicates merged, best first."""

from __future__ import annotations

import itertools
import math

import pytest

from llmstep.catalog.templates import TEMPLATES, get_template
from llmstep.engine.postprocess import RawSample, candidate_text, finish, merged
from llmstep.ranking import ordered
from llmstep.types import Candidate, Goal, PromptInput, Suggestion

GOAL = Goal("hp : p\n⊢ p")


def texts(name: str, prefix: str, *raw: str) -> list[str]:
    samples = [RawSample(text, -float(i + 1), 1) for i, text in enumerate(raw)]
    return [candidate.text for candidate in finish(get_template(name), PromptInput(GOAL, prefix), samples)]


def test_the_score_is_the_mean_log_probability_and_the_best_comes_first() -> None:
    samples = [
        RawSample("exact hp", -6.0, 4),
        RawSample("assumption", -2.0, 4),
        RawSample("simp", -0.9, 1),
    ]
    assert finish(get_template("pythia"), PromptInput(GOAL), samples) == [
        Candidate("assumption", -0.5, 4),
        Candidate("simp", -0.9, 1),
        Candidate("exact hp", -1.5, 4),
    ]


def test_duplicates_after_cleaning_keep_the_best_score() -> None:
    samples = [
        RawSample(" exact hp", -8.0, 4),
        RawSample("exact hp\n[/TAC]", -3.0, 6),
        RawSample("exact hp", -4.0, 4),
        RawSample("exact  hp", -9.0, 3),
    ]
    assert finish(get_template("ntp-st"), PromptInput(GOAL), samples) == [
        Candidate("exact hp", -0.5, 6),
        Candidate("exact  hp", -3.0, 3),
    ]


def test_equal_scores_keep_the_order_they_were_drawn_in() -> None:
    samples = [RawSample(text, -1.0, 1) for text in ("c", "a", "b")]
    assert [c.text for c in finish(get_template("bfs"), PromptInput(GOAL), samples)] == ["c", "a", "b"]


def test_empty_samples_are_dropped() -> None:
    assert texts("pythia", "", "", "  \n", "[GOAL]", "<|endoftext|>") == []
    assert finish(get_template("pythia"), PromptInput(GOAL), []) == []


def test_a_score_that_is_no_number_comes_last() -> None:
    samples = [RawSample("a", math.nan, 1), RawSample("b", -50.0, 1), RawSample("c", -math.inf, 0)]
    found = finish(get_template("pythia"), PromptInput(GOAL), samples)
    assert [(c.text, c.score) for c in found] == [("b", -50.0), ("a", None), ("c", None)]


def test_samples_without_scores_keep_the_order_drawn_behind_those_with_one() -> None:
    samples = [RawSample("a", None, 1), RawSample("b", None, 2), RawSample("c", -9.0, 1), RawSample("a", -3.0, 1)]
    found = finish(get_template("pythia"), PromptInput(GOAL), samples)
    assert [(c.text, c.score) for c in found] == [("a", -3.0), ("c", -9.0), ("b", None)]
    assert [s.text for s in ordered(map(Suggestion, reversed(found)), Goal("⊢ p"))] == ["a", "c", "b"]


PREFIXED = [
    # template, prefix, raw answer, candidate or None
    ("pythia", "exact", " hp", "exact hp"),
    ("pythia", "exact", "_mod_cast hp", "exact_mod_cast hp"),
    ("pythia", "exa", "ct hp", "exact hp"),
    ("pythia", "exact ", " hp", "exact hp"),
    ("pythia", "exact  ", " hp", "exact  hp"),
    ("pythia", "exact ", "  hp", "exact  hp"),
    ("pythia", "exact ", "⟨hp, hq⟩", "exact ⟨hp, hq⟩"),
    ("pythia", "exact ", "_mod_cast hp", None),
    ("pythia", "exact ", "s", None),
    ("pythia", "exact ", "!", None),
    ("pythia", "rw [h ", "]", "rw [h ]"),
    ("pythia", "exact ⟨hp, ", " hq⟩", "exact ⟨hp, hq⟩"),
    ("pythia", "exact ⟨hp, ", "hq⟩", "exact ⟨hp, hq⟩"),
    ("pythia", "exact hp", "", "exact hp"),
    ("pythia", "simp ", "", "simp "),
    ("pythia", "exact", " hp   \n\n", "exact hp"),
    ("pythia", "  exact", " hp", "  exact hp"),
    ("pythia", "   ", "exact hp", "   exact hp"),
    ("pythia", "   ", "", None),
    # the model says the prefix again
    ("pythia", "exact", "exact hp", "exact hp"),
    ("pythia", "exact", " exact hp", "exact hp"),
    ("pythia", "exact ", "exact hp", "exact hp"),
    ("pythia", "exact ", " exact hp", "exact hp"),
    ("pythia", "exact ", "exact_mod_cast hp", None),
    ("pythia", "exact", "exact_mod_cast hp", "exact_mod_cast hp"),
    ("pythia", "rw [", "rw [hp]", "rw [hp]"),
    ("pythia", "  exact ", "exact hp", "  exact hp"),
    ("pythia", "·", " · simp", "· · simp"),
    ("pythia", "(", "(simp)", "((simp)"),
    ("pythia", "c", "c", "cc"),
    ("pythia", "constructor\n", "\nconstructor", "constructor\nconstructor"),
    # several lines
    ("pythia", "constructor", "\n· exact hp\n· exact hq", "constructor\n· exact hp\n· exact hq"),
    ("pythia", "constructor\n", "\n· exact hp\n· exact hq", "constructor\n· exact hp\n· exact hq"),
    ("pythia", "constructor ", "\n· exact hp  \n· exact hq", "constructor \n· exact hp\n· exact hq"),
    ("pythia", "cases h with\n", "\n  | inl h => exact h", "cases h with\n  | inl h => exact h"),
    ("pythia", "cases h with\n  ", " | inl h => exact h", "cases h with\n  | inl h => exact h"),
    ("pythia", "constructor\n· ", " exact hp\n· exact hq", "constructor\n· exact hp\n· exact hq"),
    # the other templates
    ("starter", "intro", " h", "intro h"),
    ("byt5-retrieval", "exact ", "hp", "exact hp"),
    ("byt5-retrieval", "rw [", "<a>Nat.add_comm</a>]", "rw [Nat.add_comm]"),
    ("byt5-state", "exact", " hp", "exact hp"),
    ("byt5-state", "exact ", "hp", "exact hp"),
    ("byt5-state", "exact ", " hp", "exact hp"),
    ("byt5-state", "rw [", "<a>Nat.add_comm</a>]", "rw [Nat.add_comm]"),
    ("byt5-state", "exact", "exact hp", "exact hp"),
    ("ntp-st", "exact", " hp\n[/TAC]", "exact hp"),
    ("ntp-context", "exact ", " hp\n[/TAC]\n", "exact hp"),
    ("llemma-fewshot", "exact", " hp\n---\n\nTactic state:", "exact hp"),
    ("llemma", "exact", " hp\n---\n\nTactic state:", "exact hp"),
    ("continuation", "exact ", " hp\n  simp", "exact hp"),
    ("bfs", "nlinarith", " [sq_nonneg a]", "nlinarith [sq_nonneg a]"),
    ("internlm-plus", "exact", " hp\n```<|im_end|>", "exact hp"),
    ("internlm-plus", "exact", "Here is the predicted next tactic:\n```lean\nexact hp\n```", "exact hp"),
    ("internlm-step", "exact", " hp<|im_end|>", "exact hp"),
    ("internlm-step", "exact", "PROOFSTEP exact hp<|im_end|>", "exact hp"),
    ("internlm25-step", "exact", " hp<|im_end|>", "exact hp"),
    ("instruct", "exact", " hp<|im_end|>", "exact hp"),
    ("instruct", "exact", "The next step:\n```lean\nexact hp\n```", "exact hp"),
    ("instruct-file", "exact", " hp<|im_end|>", "exact hp"),
]


@pytest.mark.parametrize(("name", "prefix", "raw", "expected"), PREFIXED)
def test_the_prefix_stands_in_front_once(name: str, prefix: str, raw: str, expected: str | None) -> None:
    assert candidate_text(get_template(name), PromptInput(GOAL, prefix), raw) == expected
    assert texts(name, prefix, raw) == ([] if expected is None else [expected])


def test_every_template_is_tested_with_a_prefix() -> None:
    assert {name for name, *_ in PREFIXED} == set(TEMPLATES)


def test_every_candidate_of_every_template_starts_with_the_prefix_exactly() -> None:
    prefixes = ["exact", "exact ", " exact  ", "exact\n  ", "·", "· ", "rw [", "(", "exa", "h.", "simp;\t", " ", "\n"]
    answers = [
        "hp",
        " hp",
        "\n  hp",
        "exact hp",
        " exact hp",
        "(",
        "·",
        "]",
        "",
        " ",
        "\t",
        "_x",
        "```lean\nx\n```",
        "⟨",
    ]
    for name, prefix, raw in itertools.product(TEMPLATES, prefixes, answers):
        text = candidate_text(get_template(name), PromptInput(GOAL, prefix), raw)
        if text is not None:
            assert text.startswith(prefix), (name, prefix, raw, text)
            assert text[len(prefix) :] == text[len(prefix) :].rstrip(), (name, prefix, raw, text)


def test_samples_that_differ_only_in_how_they_join_the_prefix_are_one_candidate() -> None:
    assert texts("pythia", "exact ", " hp", "exact hp", "  hp", " exact hp") == ["exact hp", "exact  hp"]


def test_candidates_of_several_prompts_are_merged_by_score() -> None:
    first = [Candidate("exact hp", -0.5, 4), Candidate("simp", -2.0, 2), Candidate("rfl", None, 1)]
    second = [Candidate("simp", -0.25, 3), Candidate("exact hp", -0.75, 4), Candidate("rfl", -3.0, 1)]
    assert merged([*first, *second]) == [second[0], first[0], second[2]]


def test_what_no_edit_inserts_makes_no_difference() -> None:
    texts = {"exact hp -- done": -0.3, "exact hp": -0.5, "exact hp\n-- closes it": -0.1, "exact hp /- ok -/": -0.2}
    found = [Candidate(text, score, 3) for text, score in texts.items()]
    assert merged(found) == [found[2]]
    apart = [Candidate(text, -1.0, 3) for text in ("exact hp -- \u202e", "exact hp", "exact  hp", "/- a -/ exact hp")]
    assert merged(apart) == apart
