"""Networks of every architecture in every format: the numbers of transformers, whatever was read before and however."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from prompts import CAUSAL, NAMES, NEW, text
from results import log_probabilities, log_softmax

from llmstep.decoder import StoppedError, load
from llmstep.decoder.compiled import rowwise
from llmstep.decoder.compiled.network import CompiledNetwork
from llmstep.decoder.folder import ModelFolder
from llmstep.decoder.layout import read
from llmstep.decoder.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOUNDS = {"float32": (3e-5, 1e-9), "int8": (0.1, 0.02), "int4": (0.8, 0.6)}
"""Mean change of a log-probability, and mean Kullback-Leibler divergence; of random models that are 64 wide."""
LEFT = [[0, 2, 3, 4], [4, 2]]
"""Rows that are left after some have ended."""


@pytest.fixture
def network(folder_of: Callable[[str], Path]) -> Callable[..., Any]:
    """A compiled network in int8, or in another format, rounded anew."""

    def make(name: str, kind: Any = "int8", threads: int = 1) -> Any:
        model = ModelFolder(folder_of(name))
        source = Source(model, kind, threads=threads)
        made = CompiledNetwork(read(model.config, source, model.start_id), floats=kind == "float32")
        made.threads = threads
        return made

    return make


def logits(network: Any, ids: list[int], prefix: tuple[int, ...] = (), rows: int = 5, steps: int = 3) -> Any:
    """Logits of every step, [1 + steps x rows + those left, vocabulary]."""
    draw = np.random.default_rng(rows)
    found = [network.read(ids, list(prefix), rows, steps + len(LEFT), lambda: False)]
    for left in [list(range(rows))] * steps + (LEFT if rows == 5 else []):
        found.append(network.step(draw.integers(3, 384, len(left)), left))
    return np.concatenate(found)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [1, 40, 300])
def test_the_same_as_transformers(name: str, length: int, network: Callable[..., Any], reference: Any) -> None:
    """In float32 except for rounding; in fewer bits within bounds."""
    expected = reference(name, length)
    for kind, (change, divergence) in BOUNDS.items():
        made = network(name, kind)
        found = log_softmax(
            np.concatenate(
                [made.read(text(length), [], 1, 8, lambda: False), *(made.step([token], [0]) for token in NEW)]
            )
        )
        assert np.abs(found - expected).mean() < change
        assert (np.exp(expected) * (expected - found)).sum(-1).mean() < divergence


@pytest.mark.parametrize("name", ["neox", "neox-serial"])
def test_numpy_has_the_same_numbers(name: str, folder_of: Any, reference: Any) -> None:
    model: Any = load(folder_of(name))
    assert model.quantization == "float32"
    assert type(model.network).__name__ == "NumpyNetwork"
    assert np.abs(log_probabilities(model, text(40), NEW) - reference(name, 40)).max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["int8", "int4", "float32"])
def test_any_number_of_rows(name: str, kind: str, network: Callable[..., Any]) -> None:
    """A sample's numbers are those that it has alone, to the last bit, and also when others have ended."""
    together, alone = network(name, kind), network(name, kind)
    prompt = text(20)
    for rows in (1, 7, 13, 32):
        tokens = np.random.default_rng(rows).integers(3, 384, (3, rows))
        first = together.read(prompt, [], rows, 3, lambda: False)
        every, some = list(range(rows)), sorted({0, rows // 2, rows - 1}, reverse=True)
        found = [together.step(tokens[0], every), together.step(tokens[1], every), together.step(tokens[2, some], some)]
        for place, row in enumerate(some):
            assert np.array_equal(alone.read(prompt, [], 1, 3, lambda: False), first)
            for step, at in enumerate((row, row, place)):
                assert np.array_equal(alone.step(tokens[step, [row]], [0])[0], found[step][at])


@pytest.mark.parametrize("name", CAUSAL)
def test_what_a_prompt_shares_with_the_last_one_is_kept(name: str, network: Callable[..., Any]) -> None:
    """Wherever the second begins to differ, and wherever the prompt is divided, it has the numbers of a new network."""
    reused, fresh = network(name), network(name)
    whole = text(300)
    logits(reused, text(290, seed=1))
    for length in (300, 299, 255, 257, 10, 300):
        prompt = [*whole[:length], 7, 8]
        fresh.forget()
        assert np.array_equal(logits(reused, prompt), logits(fresh, prompt))


@pytest.mark.parametrize("name", ["t5", "byt5"])
def test_an_input_that_was_read_is_kept(name: str, network: Callable[..., Any]) -> None:
    reused, fresh = network(name), network(name)
    for length, prefix in ((60, ()), (60, (5, 6, 7)), (400, (9,)), (3, ()), (400, (9, 10))):
        fresh.forget()
        assert np.array_equal(logits(reused, text(length), prefix), logits(fresh, text(length), prefix))


@pytest.mark.parametrize("name", ["neox", "qwen2", "byt5"])
def test_threads_change_nothing(name: str, network: Callable[..., Any]) -> None:
    expected = logits(network(name), text(150))
    for threads in (2, 6):
        made = network(name, threads=threads)
        for _ in range(3):
            made.forget()
            assert np.array_equal(logits(made, text(150)), expected)


def test_reading_can_be_stopped_and_tried_again(network: Callable[..., Any]) -> None:
    made, prompt = network("llama"), text(300)

    with pytest.raises(StoppedError):
        made.read(prompt, [], 5, 5, lambda: True)
    assert np.array_equal(logits(made, prompt), logits(network("llama"), prompt))


@pytest.mark.parametrize("kind", ["int8", "int4", "float32"])
def test_what_is_no_number_stays_none(kind: Any, folder_of: Any, tmp_path: Path) -> None:
    import torch
    from architectures import make
    from tiny_models import saved

    model = make("llama")
    model.model.layers[0].mlp.down_proj.weight.data[3] = torch.nan
    made: Any = load(saved(model, tmp_path / "llama"), quantization=kind, cache=tmp_path / "cache")
    assert np.isnan(logits(made.network, text(8))).all()


def test_exponential_error_function_and_halves() -> None:
    numbers = np.concatenate([np.linspace(-90, 80, 4001), np.linspace(-4, 4, 4001), [0.0, -0.0]]).astype(np.float32)
    for found, expected in (
        ([rowwise.exp(x) for x in numbers], [math.exp(max(x, -86.6)) for x in numbers.astype(float)]),
        ([rowwise.erf(x) for x in numbers], [math.erf(x) for x in numbers.astype(float)]),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=5e-7)
    assert math.isnan(rowwise.exp(np.float32(np.nan)))
    halves = np.empty(len(numbers), np.float16)
    rowwise.to_halves(numbers.ctypes.data, halves.ctypes.data, 1, len(numbers))
    assert np.array_equal(halves, numbers.astype(np.float16))
    odd = np.array([1e30, -1e30, np.nan, np.inf, 6e-8, 65519], np.float32)
    rowwise.to_halves(odd.ctypes.data, halves.ctypes.data, 1, len(odd))
    assert halves[:2].tolist() == [65504, -65504]
    assert np.isnan(halves[2:4]).all()
    assert halves[4:6].tolist() == [np.float16(6e-8), 65504]
