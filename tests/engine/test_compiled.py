"""Compiled networks in eight bits: the numbers of torch's kernels, whatever was read before and however it is run."""

from __future__ import annotations

import functools
import json
import math
import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from architectures import VOCABULARY, make

from llmstep.engine import eight_bits, int8
from llmstep.engine.compiled.weights import in_tiles
from llmstep.engine.network import network_for, plain_network
from llmstep.engine.prompt import EncodedPrompt
from llmstep.errors import CancelledError

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.engine.network import Network

if eight_bits.kernel() != "tiles":
    pytest.skip("this CPU has no products of bytes (VNNI) for compiled kernels", allow_module_level=True)

from llmstep.engine.compiled import compiler, machine, rowwise
from llmstep.engine.compiled.causal import CompiledCausal
from llmstep.engine.compiled.t5 import CompiledT5

CAUSAL = ("neox", "neox-serial", "llama", "llama-rope", "mistral", "qwen2", "qwen3")
NAMES = (*CAUSAL, "t5", "byt5")
DROPS: list[tuple[list[tuple[int, int]], int]] = [([(4, 1)], 4), ([(3, 0), (2, 1)], 2)]

known_model = functools.cache(make)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def start_of(model: Any) -> int | None:
    return 0 if model.config.is_encoder_decoder else None


def compiled(name: str) -> Network:
    model = known_model(name)
    made = eight_bits.network(model, start_of(model))
    assert isinstance(made, (CompiledCausal, CompiledT5))
    return made


def by_torch(name: str) -> Network:
    """The same weights in eight bits, with torch's operations and oneDNN's products."""
    model = known_model(name)
    return plain_network(model, start_of(model), lambda name, modules: int8.product(eight_bits.quantize(name, modules)))


def text(length: int, seed: int = 0) -> EncodedPrompt:
    draw = random.Random(1000 * length + seed)
    return EncodedPrompt([draw.randrange(3, VOCABULARY) for _ in range(length)])


def with_prefix(name: str, prompt: EncodedPrompt) -> EncodedPrompt:
    return EncodedPrompt(prompt.input_ids, [40, 50, 60]) if name in ("t5", "byt5") else prompt


def logits(network: Network, prompt: EncodedPrompt, rows: int = 5, steps: int = 3) -> torch.Tensor:
    """Logits of every step, [1 + steps + drops, rows or 1, vocabulary], the first row of each."""
    draw = torch.Generator().manual_seed(rows)
    found = []
    with torch.inference_mode():
        found.append(network.read(prompt, rows, steps + len(DROPS), lambda: None))
        for _ in range(steps):
            found.append(network.step(torch.randint(3, VOCABULARY, (rows,), generator=draw)))
        for moves, left in DROPS if rows == 5 else ():
            network.drop(moves, left)
            found.append(network.step(torch.randint(3, VOCABULARY, (left,), generator=draw)))
    return torch.cat(found)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [1, 12, 40])
def test_the_same_as_with_torch(name: str, length: int) -> None:
    """Both round the same numbers. One that lies on an edge may fall to either side and moves all that follows, so that
    not every prompt shows it."""
    one, other = compiled(name), by_torch(name)
    apart = []
    for seed in range(8):
        prompt = with_prefix(name, text(length, seed))
        apart.append(float((logits(one, prompt) - logits(other, prompt)).abs().max()))
    assert min(apart) < 2e-5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [255, 270, 520])
def test_long_prompts(name: str, length: int) -> None:
    """Rounding moves the distributions as little as with torch's kernels."""
    prompt = with_prefix(name, text(length))
    model = known_model(name)
    whole = network_for(model, start_of(model))
    assert whole is not None
    exact, one, other = (logits(each, prompt).log_softmax(-1) for each in (whole, compiled(name), by_torch(name)))
    divergence, usual = ((exact.exp() * (exact - each)).sum(-1).mean() for each in (one, other))
    assert divergence < max(2 * usual, 1e-4)
    assert divergence < 0.02


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [1, 12, 13, 24, 32])
def test_any_number_of_rows(name: str, rows: int) -> None:
    """A sample's numbers are those that it has alone, to the last bit."""
    together, alone = compiled(name), compiled(name)
    prompt = text(20)
    tokens = torch.randint(3, VOCABULARY, (2, rows), generator=torch.Generator().manual_seed(rows))
    with torch.inference_mode():
        first = together.read(prompt, rows, 2, lambda: None)
        found = [together.step(each) for each in tokens]
        for row in (0, rows // 2, rows - 1):
            assert torch.equal(alone.read(prompt, 1, 2, lambda: None), first)
            for step, each in enumerate(tokens):
                assert torch.equal(alone.step(each[row : row + 1])[0], found[step][row])


@pytest.mark.parametrize("name", CAUSAL)
def test_what_a_prompt_shares_with_the_last_one_is_kept(name: str) -> None:
    """Wherever the second begins to differ, and wherever the prompt is divided, it has the numbers of a new network."""
    network = compiled(name)
    whole = text(300).input_ids
    logits(network, text(290, seed=1))
    for length in (300, 299, 255, 256, 257, 10, 300):
        prompt = EncodedPrompt([*whole[:length], 7, 8])
        assert torch.equal(logits(network, prompt), logits(compiled(name), prompt))
    network.forget()
    assert torch.equal(logits(network, prompt), logits(compiled(name), prompt))


@pytest.mark.parametrize("name", ["t5", "byt5"])
def test_an_input_that_was_read_is_kept(name: str) -> None:
    network = compiled(name)
    for ids, before in ((60, []), (60, [5, 6, 7]), (400, [9]), (3, []), (400, [9, 10])):
        prompt = EncodedPrompt(text(ids).input_ids, before)
        assert torch.equal(logits(network, prompt), logits(compiled(name), prompt))


@pytest.mark.parametrize("name", ["neox", "qwen2", "byt5"])
def test_threads_change_nothing(name: str) -> None:
    prompt = text(150)
    expected = logits(compiled(name), prompt)
    network = compiled(name)
    for threads in (2, 4, 3, 1):
        torch.set_num_threads(threads)
        network.forget()
        assert torch.equal(logits(network, prompt), expected)


def test_many_asks_with_more_threads_than_cores() -> None:
    """Threads that come late find their work done, and never do that of another ask."""
    torch.set_num_threads(6)
    network = compiled("llama")
    expected = {length: logits(compiled("llama"), text(length)) for length in (5, 40)}
    for number in range(60):
        length = (5, 40)[number % 2]
        network.forget()
        assert torch.equal(logits(network, text(length)), expected[length])


def test_reading_can_be_cancelled_and_tried_again() -> None:
    network, prompt = compiled("llama"), text(300)

    def poll() -> None:
        raise CancelledError("no more")

    with pytest.raises(CancelledError):
        network.read(prompt, 5, 5, poll)
    assert torch.equal(logits(network, prompt), logits(compiled("llama"), prompt))


def test_what_is_no_number_stays_none() -> None:
    model = make("llama")
    model.model.layers[0].mlp.down_proj.weight.data[3] = torch.nan
    network = eight_bits.network(model, None)
    assert network is not None
    assert logits(network, text(8)).isnan().all()


def test_narrow_registers() -> None:
    """Processors whose registers for products of bytes have 256 bits compile other code; it runs here, too."""
    script = """
import json, sys
import torch
from test_compiled import compiled, logits, text
torch.set_num_threads(2)
json.dump({name: logits(compiled(name), text(70)).log_softmax(-1).tolist() for name in ("neox", "byt5")}, sys.stdout)
"""
    paths = [str(path) for path in (__file__.rpartition("/")[0], __file__.rpartition("/engine/")[0])]
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "LLMSTEP_VECTOR_BITS": "256", "PYTHONPATH": ":".join(paths)},
        capture_output=True,
        text=True,
        check=True,
    )
    for name, narrow in json.loads(ran.stdout).items():
        wide = logits(compiled(name), text(70)).log_softmax(-1)
        assert (torch.tensor(narrow) - wide).abs().mean() < 0.02


def test_the_order_of_tiles() -> None:
    matrix = torch.arange(40 * 6, dtype=torch.int32).view(40, 6).remainder(127).to(torch.int8)
    tiles = in_tiles(matrix)
    assert tiles.shape == (2, 2, 32, 4)
    for output, inner in ((0, 0), (31, 5), (32, 4), (39, 1)):
        assert tiles[output // 32, inner // 4, output % 32, inner % 4] == matrix[output, inner]
    assert tiles[1, :, 8:].abs().max() == 0
    assert tiles[:, 1, :, 2:].abs().max() == 0


def test_exponential_and_error_function() -> None:
    numbers = np.concatenate([np.linspace(-90, 80, 4001), np.linspace(-4, 4, 4001), [0.0, -0.0]]).astype(np.float32)
    for found, expected in (
        ([rowwise.exp(x) for x in numbers], [math.exp(max(x, -86.6)) for x in numbers.astype(float)]),
        ([rowwise.erf(x) for x in numbers], [math.erf(x) for x in numbers.astype(float)]),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=5e-7)
    assert math.isnan(rowwise.exp(np.float32(np.nan)))


def test_where_the_cache_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Then it is compiled in every process."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(compiler, "folder", lambda: tmp_path / "file" / "below")
    assert compiler.kept(lambda x: x + 1)(1) == 2


def test_code_is_kept_for_the_next_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that has none compiles it in a process of its own, where this one keeps the interpreter to itself."""
    ran: list[list[str]] = []
    monkeypatch.setattr(machine.subprocess, "run", lambda command, **_: ran.append(command))
    monkeypatch.setattr(machine, "folder", lambda: tmp_path)
    machine.ready.cache_clear()
    machine.ready()
    assert [command[0] for command in ran] == [sys.executable]
    monkeypatch.undo()
    machine.ready.cache_clear()
    monkeypatch.setattr(machine.subprocess, "run", lambda command, **_: ran.append(command))
    machine.ready()
    assert len(ran) == 1
    assert list(compiler.folder().rglob("*.nbi"))


def test_processors_without_such_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have torch's kernels, with the same network."""
    monkeypatch.setattr(compiler, "vector_bits", lambda: 0)
    eight_bits.kernel.cache_clear()
    try:
        assert eight_bits.kernel() == "onednn"
        network = eight_bits.network(known_model("llama"), None)
        assert network is not None
        assert not isinstance(network, CompiledCausal)
        assert torch.equal(logits(network, text(9)), logits(by_torch("llama"), text(9)))
    finally:
        monkeypatch.undo()
        eight_bits.kernel.cache_clear()
