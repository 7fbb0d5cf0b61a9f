"""What eight bits do to a trained model: the starter, on goals and steps of theorems that it was not trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch

from llmstep.catalog.store import STARTER_DIR
from llmstep.catalog.templates import get_template
from llmstep.engine import eight_bits, int8, packed
from llmstep.engine.decode import decode
from llmstep.engine.device import Placement
from llmstep.engine.loader import load
from llmstep.engine.network import plain_network
from llmstep.engine.plan import inspect
from llmstep.engine.prompt import encode
from llmstep.engine.sampling import session
from llmstep.types import Ask, Goal, Sampling

if TYPE_CHECKING:
    from llmstep.engine.loaded import LoadedModel
    from llmstep.engine.prompt import EncodedPrompt

pytestmark = pytest.mark.skipif(not int8.works(), reason="this CPU has no exact products of bytes")

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


@pytest.fixture(scope="module")
def exact() -> LoadedModel:
    """In float32, by torch: its draws are those of the model in eight bits."""
    return load(inspect(STARTER_DIR, name="starter", placement=Placement("cpu", "float32")))


@pytest.fixture(scope="module")
def rounded(exact: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """Packed, and read from that file, as with `dtype` `int8`."""
    file = tmp_path_factory.mktemp("packed") / "starter.safetensors"
    packed.pack(exact, file)
    plan = packed.plan_of(file, "starter", Placement("cpu", "int8"))
    return packed.load(attrs.evolve(plan, folder=STARTER_DIR))


@pytest.fixture(scope="module")
def texts(exact: LoadedModel) -> list[tuple[EncodedPrompt, list[int]]]:
    """Prompts, and the tokens of the true steps with the end token."""
    [end] = exact.end_ids
    return [
        (
            encode(get_template("starter"), Ask(Goal(goal)), exact.tokenizer, 500),
            [*exact.tokenizer(step, add_special_tokens=False)["input_ids"], end],
        )
        for goal, step in PAIRS
    ]


def log_probabilities(network: Any, texts: list[tuple[EncodedPrompt, list[int]]]) -> torch.Tensor:
    """Of all tokens before each one of the steps, shape [tokens of all steps, vocabulary]."""
    found: list[torch.Tensor] = []
    with session(1):
        for prompt, tokens in texts:
            found.append(network.read(prompt, 1, len(tokens), lambda: None))
            found += [network.step(torch.tensor([token])) for token in tokens[:-1]]
    return torch.cat(found).double().log_softmax(-1)


@pytest.mark.parametrize("kernel", ["loaded", "onednn"])
def test_true_steps_stay_as_likely(
    exact: LoadedModel, rounded: LoadedModel, texts: list[tuple[EncodedPrompt, list[int]]], kernel: str
) -> None:
    """The bounds are about twice what these pairs and 500 of the test part show; see docs/speed.md."""
    network = rounded.network
    if kernel == "onednn":
        network = plain_network(exact.model, None, lambda *weight: int8.product(eight_bits.quantize(*weight)))
    plain, near = log_probabilities(exact.network, texts), log_probabilities(network, texts)
    tokens = torch.tensor([token for _, step in texts for token in step])[:, None]
    assert plain.shape == near.shape == (len(tokens), 640)
    moved = (plain - near).gather(1, tokens).abs()
    assert 1e-4 < moved.mean() < 0.02
    divergence = (plain.exp() * (plain - near)).sum(-1)
    assert divergence.min() > -1e-9
    assert divergence.mean() < 4e-4
    assert divergence.quantile(0.95) < 2e-3
    assert (plain.argmax(-1) == near.argmax(-1)).double().mean() > 0.98


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_samples_are_mostly_the_same(
    exact: LoadedModel,
    rounded: LoadedModel,
    texts: list[tuple[EncodedPrompt, list[int]]],
    temperature: float,
) -> None:
    """With the same random numbers; the first six tokens, of four samples where they are drawn."""
    sampling = Sampling(count=4, temperature=temperature, max_new_tokens=6, seed=7)
    same = []
    for prompt, _ in texts:
        one, other = (decode(model, prompt, sampling, threads=1) for model in (exact, rounded))
        same += [mine.text == its.text for mine, its in zip(one, other, strict=True)]
    assert len(same) == len(texts) * (4 if temperature else 1)
    assert sum(same) / len(same) > 0.9
