"""Networks against `generate` of transformers: the same tokens, whatever was read before."""

from __future__ import annotations

import contextlib
import functools
import random
from typing import TYPE_CHECKING, Any

import pytest
import torch
from architectures import VOCABULARY, make

from llmstep.engine import causal, t5
from llmstep.engine.network import network_for
from llmstep.engine.prompt import EncodedPrompt

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.engine.network import Network

START = 0


known_model = functools.cache(make)
PLAIN = ("neox", "neox-serial", "llama", "llama-rope", "mistral", "qwen2", "qwen3", "t5", "byt5")
"""Those that are run on plain tensors."""


@pytest.fixture(scope="module", params=PLAIN)
def case(request: pytest.FixtureRequest) -> tuple[Any, Callable[[], Network]]:
    """A model, and what makes networks for it that have read nothing yet."""
    torch.set_num_threads(1)
    model = known_model(request.param)
    start = START if model.config.is_encoder_decoder else None
    assert isinstance(network_for(model, start), (t5.T5Network, causal.CausalNetwork))
    return model, lambda: network_for(model, start)  # type: ignore[return-value]


@pytest.fixture
def model(case: tuple[Any, Callable[[], Network]]) -> Any:
    return case[0]


@pytest.fixture
def fresh(case: tuple[Any, Callable[[], Network]]) -> Callable[[], Network]:
    return case[1]


def a_prompt(model: Any, length: int, prefix: int = 0, seed: int = 1) -> EncodedPrompt:
    draw = random.Random(seed)
    ids = [draw.randrange(2, VOCABULARY) for _ in range(length)]
    tail = [draw.randrange(2, VOCABULARY) for _ in range(prefix)]
    return EncodedPrompt(ids, tail) if model.config.is_encoder_decoder else EncodedPrompt([*ids, *tail])


def by_generate(model: Any, prompt: EncodedPrompt, steps: int) -> list[int]:
    """Greedy tokens, never ended."""
    key = (model, tuple(prompt.input_ids), tuple(prompt.decoder_ids), steps)
    if key not in _generated:
        _generated[key] = _by_generate(model, prompt, steps)
    return _generated[key]


_generated: dict[Any, list[int]] = {}


def _by_generate(model: Any, prompt: EncodedPrompt, steps: int) -> list[int]:
    ids = torch.tensor([prompt.input_ids])
    extra: dict[str, Any] = {}
    first = len(prompt.input_ids)
    if model.config.is_encoder_decoder:
        extra["decoder_input_ids"] = torch.tensor([[START, *prompt.decoder_ids]])
        first = 1 + len(prompt.decoder_ids)
    out = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=steps,
        min_new_tokens=steps,
        eos_token_id=None,
        pad_token_id=0,
        **extra,
    )
    return list(out[0, first:].tolist())


def greedy(network: Network, prompt: EncodedPrompt, steps: int, rows: int = 1) -> list[int]:
    tokens = []
    with torch.inference_mode():
        logits = network.read(prompt, rows, steps, lambda: None)
        assert logits.shape == (1, VOCABULARY)
        assert logits.dtype == torch.float32
        for _ in range(steps - 1):
            tokens.append(int(logits[0].argmax()))
            logits = network.step(torch.tensor([tokens[-1]] * len(logits.expand(rows, -1))))
            assert logits.shape == (rows, VOCABULARY)
        tokens.append(int(logits[0].argmax()))
    return tokens


@pytest.mark.parametrize(("length", "prefix"), [(1, 0), (2, 3), (40, 0), (120, 9), (300, 0), (520, 20)])
def test_greedy_is_that_of_generate(model: Any, fresh: Callable[[], Network], length: int, prefix: int) -> None:
    prompt = a_prompt(model, length, prefix)
    expected = by_generate(model, prompt, 24)
    assert greedy(fresh(), prompt, 24) == expected
    assert greedy(fresh(), prompt, 24, rows=3) == expected


def test_what_was_read_before_changes_nothing(model: Any, fresh: Callable[[], Network]) -> None:
    """The same prompt again, one with more behind it, a shorter one, another beginning, a longer one than ever."""
    used = fresh()
    base = a_prompt(model, 130)
    shorter = EncodedPrompt(base.input_ids[:50], base.decoder_ids)
    longer = EncodedPrompt([*base.input_ids, *a_prompt(model, 200, seed=2).input_ids], base.decoder_ids)
    fork = EncodedPrompt([*base.input_ids[:60], *a_prompt(model, 60, seed=3).input_ids], base.decoder_ids)
    prefixed = a_prompt(model, 130, prefix=5)
    for prompt in (base, base, prefixed, shorter, longer, fork, a_prompt(model, 90, seed=4), base):
        assert greedy(used, prompt, 10) == by_generate(model, prompt, 10)


def test_rows_go_their_own_ways_and_leave(model: Any, fresh: Callable[[], Network]) -> None:
    """The logits of each row are those of a plain pass over its own text, also after others have left."""
    prompt = a_prompt(model, 30, prefix=4)
    used = fresh()
    texts = [[5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16], [17, 18, 19, 20]]
    with torch.inference_mode():
        used.read(prompt, 4, 4, lambda: None)
        used.step(torch.tensor([text[0] for text in texts]))
        logits = used.step(torch.tensor([text[1] for text in texts]))
        assert_rows(model, prompt, [text[:2] for text in texts], logits)
        used.drop([(3, 1)], 3)
        texts = [texts[0], texts[3], texts[2]]
        logits = used.step(torch.tensor([text[2] for text in texts]))
        assert_rows(model, prompt, [text[:3] for text in texts], logits)
        used.drop([(2, 0)], 1)
        logits = used.step(torch.tensor([texts[2][3]]))
        assert_rows(model, prompt, [texts[2]], logits)


def assert_rows(model: Any, prompt: EncodedPrompt, texts: list[list[int]], logits: torch.Tensor) -> None:
    for text, row in zip(texts, logits, strict=True):
        if model.config.is_encoder_decoder:
            plain = model(
                input_ids=torch.tensor([prompt.input_ids]),
                decoder_input_ids=torch.tensor([[START, *prompt.decoder_ids, *text]]),
            )
        else:
            plain = model(input_ids=torch.tensor([[*prompt.input_ids, *text]]))
        torch.testing.assert_close(row, plain.logits[0, -1], atol=2e-4, rtol=1e-4)


def test_a_pass_that_is_broken_off_leaves_a_sound_state(model: Any, fresh: Callable[[], Network]) -> None:
    used = fresh()
    prompt = a_prompt(model, 520)
    for polls in range(1, 4):
        calls = 0

        def poll(last: int = polls) -> None:
            nonlocal calls
            calls += 1
            if calls >= last:
                raise InterruptedError

        with torch.inference_mode(), contextlib.suppress(InterruptedError):
            used.read(a_prompt(model, 600 if polls % 2 else 520), 1, 8, poll)
        assert greedy(used, prompt, 8) == by_generate(model, prompt, 8)


def test_forgetting(model: Any, fresh: Callable[[], Network]) -> None:
    used = fresh()
    prompt = a_prompt(model, 70, prefix=3)
    first = greedy(used, prompt, 6)
    used.forget()
    assert greedy(used, prompt, 6) == first


def test_every_known_architecture_is_compared() -> None:
    assert {make(name).config.model_type for name in PLAIN} == causal.ARCHITECTURES | t5.ARCHITECTURES


def test_what_plain_tensors_cannot_do_is_left_to_generate() -> None:
    """Half precision, unknown parts, positions that depend on the length, code that is not from transformers."""
    assert network_for(make("llama").to(torch.bfloat16), None) is None
    strange = make("t5")
    strange.config.dense_act_fn = "mish"
    assert network_for(strange, START) is None
    stretched = make("qwen2")
    stretched.config.rope_parameters = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
    assert network_for(stretched, None) is None

    class Own(type(make("llama"))):  # type: ignore[misc]
        """A model that came with code of its own."""

    assert network_for(Own(make("llama").config), None) is None
