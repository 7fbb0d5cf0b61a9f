"""The starter without torch, against the same files read by transformers."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from llmstep.catalog.store import STARTER_DIR
from llmstep.catalog.templates import get_template
from llmstep.engine import light
from llmstep.engine.decode import decode
from llmstep.engine.device import Placement
from llmstep.engine.loader import load
from llmstep.engine.plan import inspect
from llmstep.engine.prompt import EncodedPrompt, encode
from llmstep.types import Ask, Goal, Sampling

if TYPE_CHECKING:
    from llmstep.engine.loaded import LoadedModel

CPU = Placement("cpu", "float32")
TEXTS = (
    "[GOAL]p q : Prop\nhp : p\n⊢ p ∨ q[PROOFSTEP]",
    "",
    " x",
    "α β γ_1 ‹x› 𝔸 🙂",
    "<|endoftext|>a<|endoftext|>",
    "a  b\n\tc ",
)


@pytest.fixture(scope="module")
def whole() -> LoadedModel:
    return load(inspect(STARTER_DIR, name="starter", placement=CPU))


@pytest.fixture(scope="module")
def small() -> LoadedModel:
    return light.load(light.inspect("starter"))


def test_what_is_known_about_it(whole: LoadedModel, small: LoadedModel) -> None:
    assert (small.end_ids, small.pad_id, small.start_id, small.positions) == (
        whole.end_ids,
        whole.pad_id,
        whole.start_id,
        whole.positions,
    )
    for name in ("name", "folder", "family", "placement", "parameters", "weight_bytes"):
        assert getattr(small.plan, name) == getattr(whole.plan, name)


def test_its_tokens(whole: LoadedModel, small: LoadedModel) -> None:
    for text in TEXTS:
        for special in (True, False):
            ids = whole.tokenizer(text, add_special_tokens=special)["input_ids"]
            assert small.tokenizer(text, add_special_tokens=special)["input_ids"] == ids
            for skipped in (True, False):
                options = {"skip_special_tokens": skipped, "clean_up_tokenization_spaces": False}
                assert small.tokenizer.decode(ids, **options) == whole.tokenizer.decode(ids, **options)
    every = list(range(640))
    options = {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}
    assert small.tokenizer.decode(every, **options) == whole.tokenizer.decode(every, **options)
    ask = Ask(Goal("p : Prop\nh : p\n⊢ p"), prefix="exact ")
    template = get_template("starter")
    assert encode(template, ask, small.tokenizer, 500) == encode(template, ask, whole.tokenizer, 500)


def test_its_logits(whole: LoadedModel, small: LoadedModel) -> None:
    ask = Ask(Goal("p q r : Prop\nhpq : p → q\nhqr : q → r\nhp : p\n⊢ r"))
    prompt = encode(get_template("starter"), ask, whole.tokenizer, 500)
    steps = ([4, 80, 11], [9, 200, 80], [600, 3, 1])
    assert whole.network is not None
    assert small.network is not None
    for loaded in (whole, small):
        loaded.network.forget()
    with torch.inference_mode():
        expected = [whole.network.read(prompt, 3, 4, lambda: None)]
        expected += [whole.network.step(torch.tensor(tokens)) for tokens in steps]
    found = [small.network.read(prompt, 3, 4, lambda: None)]
    found += [small.network.step(np.array(tokens)) for tokens in steps]
    assert [logits.shape for logits in found] == [(1, 640), (3, 640), (3, 640), (3, 640)]
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one.numpy(), other, atol=2e-4, rtol=1e-4)


def test_rows_that_leave_take_their_keys_along(small: LoadedModel) -> None:
    prompt = encode(get_template("starter"), Ask(Goal("p : Prop\nh : p\n⊢ p")), small.tokenizer, 500)
    network = small.network
    assert network is not None
    network.read(prompt, 3, 4, lambda: None)
    network.step(np.array([4, 80, 11]))
    network.drop([(2, 0)], 2)
    left = network.step(np.array([7, 9]))
    network.read(prompt, 2, 4, lambda: None)
    network.step(np.array([11, 80]))
    np.testing.assert_allclose(left, network.step(np.array([7, 9])), atol=1e-4)


def test_what_two_prompts_share_is_read_once(small: LoadedModel) -> None:
    ids = encode(get_template("starter"), Ask(Goal("p q : Prop\nh : p\n⊢ p ∨ q")), small.tokenizer, 500).input_ids
    network = small.network
    assert network is not None
    network.forget()
    whole = network.read(EncodedPrompt(ids), 1, 4, lambda: None)
    again = network.read(EncodedPrompt(ids), 1, 4, lambda: None)
    np.testing.assert_allclose(whole, again, atol=1e-4)
    network.read(EncodedPrompt(ids[:10]), 1, 4, lambda: None)
    np.testing.assert_allclose(whole, network.read(EncodedPrompt(ids), 1, 4, lambda: None), atol=1e-4)


def test_a_long_prompt_is_read_in_parts(whole: LoadedModel, small: LoadedModel) -> None:
    ids = [5 + number % 600 for number in range(700)]
    assert whole.network is not None
    assert small.network is not None
    with torch.inference_mode():
        expected = whole.network.read(EncodedPrompt(ids), 1, 4, lambda: None).numpy()
    np.testing.assert_allclose(expected, small.network.read(EncodedPrompt(ids), 1, 4, lambda: None), atol=2e-3)


@pytest.mark.parametrize(
    "goal",
    ["p q r : Prop\nhpq : p → q\nhqr : q → r\nhp : p\n⊢ r", "n : Nat\n⊢ n + 0 = n", "⊢ ∀ (p : Prop), p → p"],
)
def test_greedy_is_what_generate_writes(goal: str, whole: LoadedModel, small: LoadedModel) -> None:
    prompt = encode(get_template("starter"), Ask(Goal(goal)), whole.tokenizer, 500)
    ids = torch.tensor([prompt.input_ids])
    out = whole.model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=40, eos_token_id=0, pad_token_id=0
    )
    (sample,) = decode(small, prompt, Sampling(temperature=0, max_new_tokens=40))
    assert [token for token, _ in sample.steps] == out[0, ids.shape[1] :].tolist()


PROGRAM = """
import asyncio, sys
from llmstep.engine.engine import Engine
from llmstep.settings import Settings
from llmstep.types import Ask, Goal, Sampling

async def main():
    engine = Engine(Settings(model="starter", device="cpu"))
    answer = await engine.generate(Ask(Goal("p : Prop\\nh : p\\n⊢ p")), Sampling(count=4, seed=1))
    assert answer.candidates
    await engine.close()

asyncio.run(main())
print(sorted(name for name in ("transformers", "huggingface_hub", "torch") if name in sys.modules))
"""


def test_the_engine_answers_without_torch() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
