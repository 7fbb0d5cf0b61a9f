"""The starter without transformers, against the same files read by transformers."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch

from llmstep.catalog.store import STARTER_DIR
from llmstep.catalog.templates import get_template
from llmstep.engine import light
from llmstep.engine.device import Placement
from llmstep.engine.loader import load
from llmstep.engine.plan import inspect
from llmstep.engine.prompt import encode
from llmstep.types import Ask, Goal

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
    return light.load(light.inspect("starter", CPU))


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
    with torch.inference_mode():
        tables = []
        for loaded in (whole, small):
            assert loaded.network is not None
            loaded.network.forget()
            logits = [loaded.network.read(prompt, 2, 4, lambda: None)]
            logits += [loaded.network.step(torch.tensor(tokens)) for tokens in ([4, 80], [9, 200], [600, 3])]
            tables.append(torch.cat(logits))
        plain = whole.model(torch.tensor([prompt.input_ids])).logits[0, -1]
    torch.testing.assert_close(tables[0], tables[1], atol=0, rtol=0)
    torch.testing.assert_close(plain, tables[1][0], atol=1e-4, rtol=1e-4)


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


def test_the_engine_answers_without_transformers() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['torch']"
