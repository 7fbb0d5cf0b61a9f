"""The starter: without torch and without numba in its way, and what few bits do to it, against transformers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from results import log_probabilities

from llmstep.catalog.store import STARTER_DIR
from llmstep.catalog.templates import get_template
from llmstep.decoder import SamplingParams, load
from llmstep.engine.prompt import encode
from llmstep.types import Goal, PromptInput

TEXTS = (
    "[GOAL]p q : Prop\nhp : p\n⊢ p ∨ q[PROOFSTEP]",
    "",
    " x",
    "α β γ_1 ‹x› 𝔸 🙂",
    "<|endoftext|>a<|endoftext|>",
    "a  b\n\tc ",
)
# Goals and steps of the generator's test part, three of each family.
PAIRS = (
    ("k l m n : Nat\nh1 : 10 < l\nx : Nat\n⊢ 0 + x = x", "exact Nat.zero_add x"),
    ("d e f : Nat\n⊢ d + (f + e) + 1 = d + 1 + (f + e)", "rw [Nat.add_assoc, Nat.add_comm (f + e) 1, Nat.add_assoc]"),
    ("r s : Nat\nz : s < 0\n⊢ s ≤ 0", "exact Nat.le_of_lt z"),
    ("e f g h : Nat\ntigo26 : Nat → Nat\nh₁ : g = g\n⊢ tigo26 g = tigo26 g", "exact congrArg tigo26 h₁"),
    (
        "b2 pt : Nat\nF : Nat → Nat\nPra : Nat → Prop\nh3 h2 : b2 = pt\nh1 : Pra (F pt)\nh : pt = b2\n⊢ Pra (F pt)",
        "exact h1",
    ),
    ("j k l : Nat\nf : Nat → Nat\n⊢ f l = f l", "rfl"),
    ("ψ ω ϊ ϋ ό : Prop\nhόϋ : ό ∧ ϋ\nh : (ό ∧ ω) ∧ ω ∨ ό ∨ ϋ\n⊢ ((ό ∧ ω) ∧ ω ∨ ό) ∨ ϋ", "exact Or.inr hόϋ.2"),
    ("P p f : Prop\nh : P ↔ f\nh' : p\nhf : f\nhp : p\nh₁ : ¬P → True\nh₂ : ¬(f ∨ p)\n⊢ ¬f ∧ ¬p", "constructor"),
    ("P Q R : Prop\nh1 : P\nh0 : True → P ∧ Q\nh3 : R\nh : Q → False\n⊢ Q ∨ Q → False ∨ Q ∨ Q", "intro h₁"),
    ("X : Type\nmortal ψ : X → Prop\nh : ∃ x, mortal x\n⊢ ¬∀ (b2 : X), ¬mortal b2", "intro h₁"),
    (
        "V : Type u_1\nS T : V → Prop\nf : V → V\npt : V\nh : ∀ (i : V), T (f pt) ∧ T i\ni : V\n⊢ ∃ pt, T (f pt) ∧ T i",
        "exact ⟨pt, h i⟩",
    ),
    ("S T U : Nat → Prop\nd c : Nat\nh : ¬∃ a', S d\nh1 : ∀ (a' : Nat), S c → S c\nhU : U d\n⊢ ¬S d", "intro hS"),
)
# Mean change of the true tokens' log-probability, mean divergence, its 95th percentile, likeliest tokens that stay,
# samples that stay; each bound is about twice what these pairs show.
BOUNDS = {"int8": (0.02, 4e-4, 2e-3, 0.98, 0.9), "int4": (0.35, 0.08, 0.4, 0.85, 0.35)}


@pytest.fixture(scope="module")
def exact() -> Any:
    return load(STARTER_DIR)


@pytest.fixture(scope="module")
def whole() -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(STARTER_DIR, dtype=torch.float32).eval()


def test_its_tokens(exact: Any) -> None:
    from transformers import AutoTokenizer

    original: Any = AutoTokenizer.from_pretrained(STARTER_DIR)
    for text in TEXTS:
        for special in (True, False):
            ids = original(text, add_special_tokens=special)["input_ids"]
            assert exact.tokenizer(text, add_special_tokens=special)["input_ids"] == ids
            for skipped in (True, False):
                options = {"skip_special_tokens": skipped, "clean_up_tokenization_spaces": False}
                assert exact.tokenizer.decode(ids, **options) == original.decode(ids, **options)


def test_its_numbers_are_those_of_transformers(exact: Any, whole: Any) -> None:
    for ids in ([5 + number % 600 for number in range(700)], [4, 9, 77]):
        new = [4, 80, 11]
        with torch.inference_mode():
            expected = whole(input_ids=torch.tensor([ids + new])).logits[0, len(ids) - 1 :].double().log_softmax(-1)
        assert np.abs(log_probabilities(exact, ids, new) - expected.numpy()).max() < 2e-3


@pytest.mark.parametrize("goal", [PAIRS[0][0], PAIRS[6][0], "⊢ ∀ (p : Prop), p → p"])
def test_greedy_is_what_generate_writes(goal: str, exact: Any, whole: Any) -> None:
    prompt = encode(get_template("starter"), PromptInput(Goal(goal)), exact.tokenizer, 500).input_ids
    ids = torch.tensor([prompt])
    out = whole.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=40, eos_token_id=0, pad_token_id=0
    )
    one, other = exact.sample(prompt, 2, SamplingParams(temperature=0, max_tokens=40))
    assert list(one.tokens) == out[0, ids.shape[1] :].tolist()
    assert one == other


@pytest.mark.parametrize("kind", BOUNDS)
def test_true_steps_stay_as_likely(kind: Any, exact: Any, cache: Any) -> None:
    """See docs/speed.md for figures of more steps."""
    rounded: Any = load(STARTER_DIR, quantization=kind, cache=cache)
    change, mean, tail, likeliest, samples = BOUNDS[kind]
    [end] = exact.end_ids
    plain, near, tokens, same = [], [], [], []
    for goal, step in PAIRS:
        ask, template = PromptInput(Goal(goal)), get_template("starter")
        prompt = encode(template, ask, exact.tokenizer, 500).input_ids
        ids = [*exact.tokenizer(template.hidden(ask, step), add_special_tokens=False)["input_ids"], end]
        tokens += ids
        plain.append(log_probabilities(exact, prompt, ids[:-1], 1))
        near.append(log_probabilities(rounded, prompt, ids[:-1], 1))
        params = SamplingParams(temperature=0.7, max_tokens=6, seed=7)
        one, other = (each.sample(prompt, 4, params) for each in (exact, rounded))
        same += [mine.text == its.text for mine, its in zip(one, other, strict=True)]
    one, other = np.concatenate(plain), np.concatenate(near)
    moved = np.abs(one - other)[np.arange(len(tokens)), tokens]
    divergence = (np.exp(one) * (one - other)).sum(-1)
    assert 1e-4 < moved.mean() < change
    assert divergence.mean() < mean
    assert np.quantile(divergence, 0.95) < tail
    assert (one.argmax(-1) == other.argmax(-1)).mean() > likeliest
    assert np.mean(same) > samples


PROGRAM = """
import asyncio, sys
from llmstep.engine.engine import Engine
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput, SamplingParams

async def main():
    engine = Engine(Settings(model={model!r}, device={device!r}))
    answer = await engine.generate(PromptInput(Goal("p : Prop\\nh : p\\n⊢ p")), SamplingParams(count=4, seed=1))
    assert answer.candidates
    await engine.close()

asyncio.run(main())
names = ("transformers", "huggingface_hub", "torch", "numba")
print(sorted(name for name in names if name in sys.modules))
"""


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_the_engine_answers_without_torch_and_numba(device: str) -> None:
    code = PROGRAM.format(model="starter", device=device)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
