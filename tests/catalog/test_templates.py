"""Every template: its exact text with and without a prefix, its stops, and what it makes of raw answers."""

from __future__ import annotations

import pytest

from llmstep.catalog.templates import TEMPLATES, get_template, guess_template
from llmstep.errors import ModelError
from llmstep.types import Goal, PromptInput

from .template_tables import ASK, GOAL, PROMPTS, STOPS, WITH_PREFIX


def test_the_tables_cover_every_template() -> None:
    assert set(PROMPTS) == set(STOPS) == set(TEMPLATES)
    assert all(template.name == name for name, template in TEMPLATES.items())


@pytest.mark.parametrize("name", TEMPLATES)
def test_exact_prompt(name: str) -> None:
    template = get_template(name)
    assert template.prompt(ASK) == PROMPTS[name][0]
    assert template.prompt(WITH_PREFIX) == "".join(PROMPTS[name])
    for ask in (ASK, WITH_PREFIX):
        assert "".join(segment.text for segment in template.segments(ask)) == template.prompt(ask)


@pytest.mark.parametrize("name", TEMPLATES)
def test_stops(name: str) -> None:
    assert get_template(name).stops == STOPS[name]


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_prefix_goes_to_the_decoder_of_an_encoder_decoder_model_and_nowhere_else(name: str) -> None:
    template = get_template(name)
    assert template.decoder_text(ASK) == ""
    if template.family == "seq2seq":
        assert template.decoder_text(WITH_PREFIX) == "exact ⟨"
        assert "exact" not in template.prompt(WITH_PREFIX)
    else:
        assert template.decoder_text(WITH_PREFIX) == ""
        assert template.prompt(WITH_PREFIX).endswith("exact ⟨")


@pytest.mark.parametrize("name", TEMPLATES)
def test_blanks_around_a_prefix_stay_out_of_a_prompt(name: str) -> None:
    template = get_template(name)
    ask = PromptInput(GOAL, "  exact \n  ")
    if template.family == "seq2seq":
        assert template.held(ask) == ""  # bytes have no tokens that join a blank to a word
        assert template.decoder_text(ask) == "exact \n  "
    else:
        assert template.held(ask) == " \n  "
        assert template.prompt(ask).endswith("exact")
    assert template.prompt(PromptInput(GOAL, "   ")) == template.prompt(PromptInput(GOAL))
    assert template.held(PromptInput(GOAL, "   ")) == ""


@pytest.mark.parametrize("name", TEMPLATES)
def test_braces_in_a_goal_are_only_text(name: str) -> None:
    goal = "h₁ : {prefix} → {n : ℕ // n < {goal}}\n⊢ {context} = {0}"
    template = get_template(name)
    assert template.prompt(PromptInput(Goal(goal), "simp", context=goal)).count(goal) == 1 + (
        "{context}" in template.text  # the file is there, too
    )


def test_an_unnamed_declaration_has_a_stand_in() -> None:
    assert "DECL example\n" in get_template("internlm-step").prompt(PromptInput(GOAL))
    assert "NAME: example\n" in get_template("internlm25-step").prompt(PromptInput(GOAL))


def test_which_templates_read_the_file() -> None:
    reading = [name for name, template in TEMPLATES.items() if template.uses_context]
    assert reading == ["ntp-context", "continuation", "llemma", "instruct-file"]


def test_llemma_is_asked_twice_where_there_is_a_file() -> None:
    llemma = get_template("llemma")
    drawn = llemma.draws(ASK, 9)
    assert [(each.name, count) for each, count in drawn] == [("llemma", 5), ("continuation", 4)]
    assert [each.prompt(ASK) for each, _ in drawn] == [PROMPTS["llemma-fewshot"][0], PROMPTS["continuation"][0]]
    assert [each.prompt(WITH_PREFIX) for each, _ in drawn] == [
        "".join(PROMPTS["llemma-fewshot"]),
        "".join(PROMPTS["continuation"]),
    ]
    assert llemma.draws(ASK, 1) == ((llemma, 1),)
    assert llemma.draws(PromptInput(GOAL, context=" \n"), 9) == ((llemma, 9),)
    assert [get_template(name).draws(ASK, 9)[0][1] for name in TEMPLATES if name != "llemma"] == [9] * (
        len(TEMPLATES) - 1
    )


@pytest.mark.parametrize(
    ("context", "kept"), [("by\n  ", "by\n "), ("by\n\t", "by\n\t"), ("by ", "by"), ("by\n", "by\n")]
)
def test_one_blank_before_the_answer_is_left_to_the_model(context: str, kept: str) -> None:
    continuation = get_template("continuation")
    assert continuation.prompt(PromptInput(GOAL, context=context)) == kept
    assert continuation.prompt(PromptInput(GOAL, "rw [", context=context)) == context + "rw ["
    assert continuation.clean(" exact hp\n  simp") == "exact hp"


def test_few_shot_answers_are_free_of_the_stops_that_would_cut_them() -> None:
    template = get_template("llemma-fewshot")
    _, *blocks = template.text.split("---\n")
    answers = [block.removesuffix("\n") for block in blocks[2:-1:4]]
    assert len(answers) == 3
    for answer in answers:
        assert template.clean(answer) == answer


BLOCK = "constructor\n· exact hp\n· intro x\n  exact hq"

CLEANED = [
    ("pythia", " exact ⟨hp, hq⟩ ", "exact ⟨hp, hq⟩"),
    ("pythia", "exact hp[GOAL]q : Prop\n⊢ q[PROOFSTEP]simp", "exact hp"),
    ("pythia", "exact hp<|endoftext|>", "exact hp"),
    ("pythia", "exact hp\n[PROOFS", "exact hp"),
    ("pythia", BLOCK, BLOCK),
    ("pythia", "\n  constructor\n  · exact hp\n  · exact hq\n", "constructor\n· exact hp\n· exact hq"),
    ("pythia", "constructor\r\n· exact hp\r\n· exact hq", "constructor\n· exact hp\n· exact hq"),
    ("pythia", "exact hp   \n  -- done \n", "exact hp\n  -- done"),
    ("pythia", "rw [hp]", "rw [hp]"),
    ("pythia", " \n ", ""),
    ("starter", BLOCK + "[GOAL]", BLOCK),
    ("byt5-state", "rw [<a>Nat.add_comm</a>, <a>Nat.mul_comm</a>]", "rw [Nat.add_comm, Nat.mul_comm]"),
    ("byt5-state", BLOCK, BLOCK),
    ("byt5-retrieval", "rw [<a>Nat.add_comm</a>]", "rw [Nat.add_comm]"),
    ("ntp-st", "exact ⟨hp, hq⟩\n[/TAC]", "exact ⟨hp, hq⟩"),
    ("ntp-st", "exact ⟨hp, hq⟩\n[/TA", "exact ⟨hp, hq⟩"),
    ("ntp-st", "[TAC]\nexact hp\n[/TAC]\n[STATE]", "exact hp"),
    ("ntp-st", f"{BLOCK}\n[/TAC]", BLOCK),
    ("ntp-context", "simp only [foo]\n[/TAC]\n\n/- You are", "simp only [foo]"),
    ("ntp-context", "simp\n\n\n\nexact h", "simp"),
    ("ntp-context", f"{BLOCK}\n[/TAC]", BLOCK),
    ("llemma-fewshot", "exact hp\n---\n\nTactic state:", "exact hp"),
    ("llemma-fewshot", "exact hp---", "exact hp"),
    ("llemma-fewshot", "exact hp--", "exact hp"),
    ("llemma-fewshot", BLOCK, "constructor"),
    ("llemma", "exact hp\n---\n\nTactic state:", "exact hp"),
    ("continuation", "exact hp\n  exact hq", "exact hp"),
    ("continuation", "exact hp\n\ntheorem next", "exact hp"),
    ("bfs", "exact hp", "exact hp"),
    ("bfs", "nlinarith [sq_nonneg (a - b)]:::x", "nlinarith [sq_nonneg (a - b)]"),
    ("bfs", BLOCK, BLOCK),
    ("bfs", f"```lean\n{BLOCK}\n```", BLOCK),
    ("internlm-plus", "Here is the predicted next tactic:\n```lean\nexact hp\n```<|im_end|>", "exact hp"),
    ("internlm-plus", "Here is the predicted next tactic:\n```lean\nexact hp\n``", "exact hp"),
    ("internlm-plus", f"Here is the predicted next tactic:\n```lean\n{BLOCK}\n```", BLOCK),
    ("internlm-plus", "Here is the predicted next tactic:\nexact hp<|im_e", "exact hp"),
    ("internlm-plus", "exact hp\n```", "exact hp"),
    ("internlm-plus", "<think>the goal is a pair\n```lean\nsorry\n```</think>\n```lean4\nexact hp\n```", "exact hp"),
    ("internlm-plus", "<think>never done thinking", ""),
    ("internlm-step", "PROOFSTEP exact hp<|im_end|>\n", "exact hp"),
    ("internlm-step", f"PROOFSTEP {BLOCK}", BLOCK),
    ("internlm25-step", "exact hp<|im_end|>\n<|im_start|>user", "exact hp"),
    ("internlm25-step", BLOCK, BLOCK),
    ("instruct", f"Sure!\n```lean\n{BLOCK}\n```\nThis closes both goals.<|im_end|>", BLOCK),
    ("instruct", "<think>rfl?\n</think>\n```lean\nomega\n```", "omega"),
    ("instruct", "exact hp", "exact hp"),
    ("instruct-file", f"```lean\n{BLOCK}\n```<|im_end|>", BLOCK),
]


@pytest.mark.parametrize(("name", "raw", "step"), CLEANED)
def test_clean(name: str, raw: str, step: str) -> None:
    template = get_template(name)
    assert template.clean(raw) == step
    assert template.clean(template.clean(raw)) == step


def test_cleaning_of_every_template_is_tested() -> None:
    assert {name for name, _, _ in CLEANED} == set(TEMPLATES)


def test_an_unknown_template_is_named_with_those_there_are() -> None:
    with pytest.raises(ModelError) as caught:
        get_template("pithia")
    assert caught.value.message == "There is no prompt template 'pithia'."
    assert "Did you mean 'pythia'?" in caught.value.hint
    assert all(name in caught.value.hint for name in TEMPLATES)


@pytest.mark.parametrize(
    ("model_id", "family", "name"),
    [
        ("wellecks/llmstep-mathlib4-pythia2.8b", "causal", "pythia"),
        ("someone/my-llmstep-model", "causal", "pythia"),
        ("kaiyuy/leandojo-lean4-tacgen-byt5-small", "seq2seq", "byt5-state"),
        ("kaiyuy/leandojo-lean4-retriever-tacgen-byt5-small", "seq2seq", "byt5-retrieval"),
        ("kaiyuy/leandojo-lean4-retriever-byt5-small", "seq2seq", None),
        ("l3lab/ntp-mathlib-st-deepseek-coder-1.3b", "causal", "ntp-st"),
        ("l3lab/ntp-mathlib-context-deepseek-coder-1.3b", "causal", "ntp-context"),
        ("wellecks/ntpctx-llama3-8b", "causal", "ntp-context"),
        ("EleutherAI/llemma_34b", "causal", "llemma"),
        ("internlm/internlm2-math-plus-20b", "causal", "internlm-plus"),
        ("internlm/internlm2-step-prover", "causal", "internlm-step"),
        ("internlm/internlm2_5-step-prover", "causal", "internlm25-step"),
        ("internlm/internlm2_5-step-prover-critic", "causal", None),
        ("ByteDance-Seed/BFS-Prover-V3-7B", "causal", "bfs"),
        ("markm39/openproof-tactic-2b", "causal", "bfs"),
        ("EleutherAI/pythia-70m", "seq2seq", None),
        ("gpt2", "causal", None),
    ],
)
def test_guess(model_id: str, family: str, name: str | None) -> None:
    assert guess_template(model_id, family) == name
