"""A model over several devices: which layers go where, and decoding with what accelerate has divided.

There is no GPU here. The maps are made for GPUs from shapes alone; decoding is run with the hooks of accelerate between
the two places that every machine has, memory and disk.
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import TYPE_CHECKING, Any

import accelerate
import pytest
import torch
import transformers
from architectures import make

from llmstep.engine import device as devices
from llmstep.engine import spread
from llmstep.engine.device import Placement
from llmstep.engine.loaded import Plan
from llmstep.engine.loader import load
from llmstep.engine.modules import CausalModules, Seq2SeqModules
from llmstep.engine.network import network_for
from llmstep.engine.plan import ROOM, inspect
from llmstep.engine.prompt import EncodedPrompt
from llmstep.errors import ModelTooLargeError

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.engine.network import Network

GIB = 2**30


@functools.cache
def seven_billion() -> Any:
    """The shape of BFS-Prover-V2-7B (Qwen2.5-7B), 14.2 GiB in 16 bits, without weights."""
    config = transformers.Qwen2Config(
        hidden_size=3584,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        intermediate_size=18944,
        vocab_size=152064,
        tie_word_embeddings=False,
    )
    with torch.device("meta"):
        return transformers.Qwen2ForCausalLM(config).to(torch.bfloat16)


@functools.cache
def byt5_large() -> Any:
    """The shape of ByT5-large: 2.3 GiB in 16 bits, with one table of embeddings for both sides."""
    config = transformers.T5Config(
        vocab_size=384,
        d_model=1536,
        d_kv=64,
        d_ff=3840,
        num_layers=36,
        num_decoder_layers=12,
        num_heads=16,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    with torch.device("meta"):
        return transformers.T5ForConditionalGeneration(config).to(torch.bfloat16)


def place_of(name: str, found: dict[str, int]) -> int:
    """The device of a parameter: that of the longest name in the map that holds it."""
    return found[max((part for part in found if part == "" or f"{name}.".startswith(f"{part}.")), key=len)]


@pytest.mark.parametrize(
    ("model", "limits", "layer"),
    [
        (seven_billion, {0: 8 * GIB, 1: 12 * GIB}, r"model\.layers\.\d+"),
        (seven_billion, {0: 5 * GIB, 1: 5 * GIB, 2: 6 * GIB}, r"model\.layers\.\d+"),
        (seven_billion, {0: 12 * GIB, 1: 5 * GIB}, r"model\.layers\.\d+"),
        (byt5_large, {0: GIB, 1: 2 * GIB}, r"(?:en|de)coder\.block\.\d+"),
    ],
)
def test_whole_layers_go_to_each_device_and_fit_it(model: Any, limits: dict[int, int], layer: str) -> None:
    module = model()
    found = spread.divide(module, limits)
    assert found is not None
    held = dict.fromkeys(limits, 0)
    of_layer: dict[str, set[int]] = {}
    for name, parameter in module.named_parameters():
        place = place_of(name, found)
        held[place] += parameter.numel() * 2
        if match := re.match(layer, name):
            of_layer.setdefault(match.group(), set()).add(place)
    assert len(of_layer) in (28, 48)
    assert all(len(places) == 1 for places in of_layer.values())
    assert all(0 < held[index] <= limits[index] for index in limits)
    places = [min(of_layer[name]) for name in of_layer]
    assert sum(one != other for one, other in itertools.pairwise(places)) == len(limits) - 1


def test_what_does_not_fit_is_not_put_on_the_disk() -> None:
    assert spread.divide(seven_billion(), {0: 7 * GIB, 1: 7 * GIB}) is None


def a_plan(device: Any = "cuda") -> Plan:
    parameters = sum(parameter.numel() for parameter in seven_billion().parameters())
    return Plan(
        name="seven",
        folder=None,  # type: ignore[arg-type]
        config=None,
        family="causal",
        placement=Placement(device, "bfloat16"),
        parameters=parameters,
        weight_bytes=2 * parameters,
        trust_remote_code=False,
    )


def gpus(monkeypatch: pytest.MonkeyPatch, *free: int) -> None:
    """As many GPUs, with so many GiB free on each, the first of them current; torch's allocator holds 1 GiB of each."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: ((free[index] - 1) * GIB, 80 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda index: 2 * GIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda index: GIB)


@pytest.mark.parametrize(
    ("free", "used"),
    [
        ((24, 24), None),  # fits the current one
        ((40,), None),
        ((8,), None),
        ((12, 24, 20), {1}),
        ((12, 12), {0, 1}),
        ((8, 8, 8), {0, 1, 2}),
    ],
)
def test_a_model_is_divided_only_where_it_fits_no_single_device(
    monkeypatch: pytest.MonkeyPatch, free: tuple[int, ...], used: set[int] | None
) -> None:
    gpus(monkeypatch, *free)
    assert devices.cuda_free_bytes() == {index: size * GIB for index, size in enumerate(free)}
    assert devices.free_bytes("cuda") == sum(free) * GIB
    found = spread.device_map(a_plan(), seven_billion)
    assert (None if found is None else set(found.values())) == used
    if used == {1}:
        assert found == {"": 1}
    assert spread.device_map(a_plan("cpu"), seven_billion) is None


def test_a_model_that_is_too_large_is_told_what_all_devices_have(
    monkeypatch: pytest.MonkeyPatch, tiny_models: dict[str, Path]
) -> None:
    gpus(monkeypatch, 9, 8)  # the sum is enough, for layers that could be divided
    plan = a_plan()
    assert plan.weight_bytes * ROOM > 17 * GIB
    with pytest.raises(ModelTooLargeError) as caught:
        spread.device_map(plan, seven_billion)
    assert "needs about 18.3 GB of memory in bfloat16 on cuda, and 18.3 GB are free on 2 GPUs" in caught.value.message

    needed = inspect(tiny_models["llama"], name="m", placement=Placement("cpu", "bfloat16")).weight_bytes * ROOM
    for share, fits in ((0.6, True), (0.4, False)):
        sizes = [int(share * needed)] * 2
        monkeypatch.setattr(devices, "cuda_free_bytes", lambda sizes=sizes: dict(enumerate(sizes)))
        if fits:
            inspect(tiny_models["llama"], name="m", placement=Placement("cuda", "bfloat16"))
            continue
        with pytest.raises(ModelTooLargeError, match="are free on 2 GPUs together"):
            inspect(tiny_models["llama"], name="m", placement=Placement("cuda", "bfloat16"))


def greedy(network: Network, prompt: EncodedPrompt, rows: int, steps: int) -> list[list[int]]:
    """Tokens of rows that begin with the `rows` likeliest tokens and go on with the likeliest; the first row leaves."""
    first = network.read(prompt, rows, steps, lambda: None).topk(rows).indices[0]
    texts = [[int(token)] for token in first]
    tokens = first
    for step in range(1, steps):
        if step == steps // 2:
            network.drop([(rows - 1, 0)], rows - 1)
            texts, tokens = [texts[-1], *texts[1:-1]], torch.cat([tokens[-1:], tokens[1:-1]])
        tokens = network.step(tokens).argmax(-1)
        for text, token in zip(texts, tokens.tolist(), strict=True):
            text.append(token)
    return texts


def halves(model: Any) -> dict[str, str]:
    """Every second module of the smallest that are not divided goes to the disk."""
    whole = set(model._no_split_modules)
    names: list[str] = []

    def visit(module: Any, name: str) -> None:
        children = list(module.named_children())
        if not children or type(module).__name__ in whole:
            names.append(name)
            return
        for part, child in children:
            visit(child, f"{name}.{part}" if name else part)

    visit(model, "")
    places = {name: "disk" if number % 2 else "cpu" for number, name in enumerate(names)}
    return places | {name: "cpu" for name, _ in model.named_buffers(recurse=False)}


@pytest.mark.parametrize("name", ["neox", "llama", "qwen2", "t5", "byt5", "bart"])
def test_a_divided_model_writes_the_same_tokens(name: str, tmp_path: Path) -> None:
    model = make(name)
    seq2seq = model.config.is_encoder_decoder
    start = 0 if seq2seq else None
    prompt = EncodedPrompt([7, 90, 14, 205, 33, 8, 61], [17, 30] if seq2seq else [])
    longer = EncodedPrompt([*prompt.input_ids, 44, 45], prompt.decoder_ids)
    whole = network_for(model, start)
    assert whole is not None
    with torch.inference_mode():
        expected = [greedy(whole, each, 3, 8) for each in (prompt, longer, prompt)]
    assert len({tuple(text) for texts in expected for text in texts}) > 3

    where = halves(model)
    divided = accelerate.dispatch_model(make(name), where, main_device="cpu", offload_dir=str(tmp_path))
    on_disk = [key for key, parameter in divided.named_parameters() if parameter.device.type == "meta"]
    assert 0 < len(on_disk) < len(list(divided.named_parameters()))
    assert spread.is_divided(divided)
    assert not spread.is_divided(model)
    assert spread.input_device(divided) == torch.device("cpu")
    network = network_for(divided, start)
    assert isinstance(network, Seq2SeqModules if seq2seq else CausalModules)
    with torch.inference_mode():
        assert [greedy(network, each, 3, 8) for each in (prompt, longer, prompt)] == expected


def test_the_loader_puts_the_weights_where_the_map_says(
    tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = {"model": "cpu", "lm_head": "disk"}
    monkeypatch.setattr("llmstep.engine.loader.device_map", lambda plan, skeleton: (skeleton(), where)[1])
    loaded = load(inspect(tiny_models["llama"], name="m", placement=Placement("cpu", "float32")))
    assert loaded.model.hf_device_map == where
    assert loaded.device == "cpu"
    assert loaded.model.lm_head.weight.device.type == "meta"  # until it is used
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    monkeypatch.undo()
    plain = load(inspect(tiny_models["llama"], name="m", placement=Placement("cpu", "float32")))
    prompt = EncodedPrompt([3, 4, 5])
    with torch.inference_mode():
        texts = [greedy(each.network, prompt, 2, 4) for each in (loaded, plain) if each.network is not None]
    assert texts[0] == texts[1]
