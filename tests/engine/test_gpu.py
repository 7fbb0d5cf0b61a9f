"""The networks for GPUs, on the CPU: the same samples as the others, what is recorded, and memory that stays.

That their tokens are those of `generate` is in `test_network.py`.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch
from architectures import make
from recording import Recording

from llmstep.engine.causal import CausalNetwork
from llmstep.engine.decode import decode
from llmstep.engine.gpu import t5
from llmstep.engine.gpu.ahead import Numbers
from llmstep.engine.gpu.memory import Bucket
from llmstep.engine.gpu.network import StaticNetwork
from llmstep.engine.gpu.t5 import StaticT5
from llmstep.engine.modules import CausalModules, Seq2SeqModules
from llmstep.engine.network import network_for
from llmstep.engine.prompt import EncodedPrompt
from llmstep.engine.t5 import T5Network
from llmstep.errors import CancelledError, GenerationError
from llmstep.types import Sampling

if TYPE_CHECKING:
    from llmstep.engine.gpu.steps import Steps
    from llmstep.engine.loaded import LoadedModel
    from llmstep.engine.postprocess import RawSample

PROMPT = EncodedPrompt([5, 80, 7, 300, 11, 42, 9, 120])
FAMILIES = ("neox", "llama", "byt5")


class Watched:
    """A network that counts the rows of its steps."""

    def __init__(self, network: Steps) -> None:
        self.network = network
        self.rows: list[int] = []

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        self.rows.append(len(tokens))
        return self.network.step(tokens)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)


def static(model: Any, start_id: int | None, recorder: Any = None) -> Steps:
    if start_id is None:
        return StaticNetwork(model, recorder=recorder)
    return StaticT5(model, start_id, recorder=recorder)


def on_gpu(loaded: LoadedModel, **changes: Any) -> tuple[LoadedModel, Watched, Recording]:
    """The same model as it is run on a GPU, with records that are made on the CPU."""
    recording = Recording()
    network = Watched(static(loaded.model, loaded.start_id, recording))
    return attrs.evolve(loaded, network=network, **changes), network, recording


def prompt_for(loaded: LoadedModel, text: str = "[GOAL]⊢ p → q[PROOFSTEP]") -> EncodedPrompt:
    ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    return EncodedPrompt(ids, [] if loaded.start_id is None else ids[:3])


def assert_same(found: list[RawSample], expected: list[RawSample]) -> None:
    assert [sample.text for sample in found] == [sample.text for sample in expected]
    for one, other in zip(found, expected, strict=True):
        assert [token for token, _ in one.steps] == [token for token, _ in other.steps]
        assert one.logprob_sum == pytest.approx(other.logprob_sum, abs=1e-3)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    "options",
    [
        {"count": 1, "temperature": 0.0},
        {"count": 10, "temperature": 1.0},
        {"count": 10, "temperature": 3.0, "top_p": 0.8},
        {"count": 34, "temperature": 2.0},
    ],
)
def test_a_seed_gives_the_samples_of_the_other_network(
    loaded_models: dict[str, LoadedModel], name: str, options: dict[str, Any]
) -> None:
    """Samples that end one after the other, in two batches, with ends and stops, twice."""
    plain = loaded_models[name]
    assert isinstance(plain.network, (CausalNetwork, T5Network))
    prompt = prompt_for(plain)
    sampling = Sampling(max_new_tokens=20, seed=5, **options)
    free = decode(attrs.evolve(plain, end_ids=frozenset()), prompt, sampling)
    ends = frozenset({free[0].steps[12][0], free[-1].steps[5][0]})
    stop = next(letter for letter in free[0].text if letter.isascii())
    for end_ids, stops in ((ends, ()), (frozenset(), (stop,)), (frozenset(), ())):
        expected = decode(attrs.evolve(plain, end_ids=end_ids), prompt, sampling, stops=stops)
        loaded, _, recording = on_gpu(plain, end_ids=end_ids)
        told: list[RawSample] = []
        assert_same(decode(loaded, prompt, sampling, stops=stops, on_sample=told.append), expected)
        assert sorted(sample.text for sample in told) == sorted(sample.text for sample in expected)
        assert_same(decode(loaded, prompt, sampling, stops=stops), expected)
        assert recording.replayed > 0


def test_the_step_after_the_last_is_at_most_one(loaded_models: dict[str, LoadedModel]) -> None:
    """A step is begun before it is known who has ended: one step too many for each, and none behind the limit."""
    free, network, _ = on_gpu(loaded_models["neox"], end_ids=frozenset())
    sampling = Sampling(count=6, temperature=2.0, max_new_tokens=9, seed=2)
    samples = decode(free, prompt_for(free), sampling)
    assert network.rows == [6] * 8
    ends = frozenset({samples[0].steps[1][0], samples[3].steps[2][0]})
    loaded, network, _ = on_gpu(loaded_models["neox"], end_ids=ends)
    lengths = [sample.tokens for sample in decode(loaded, prompt_for(loaded), sampling)]
    assert len(set(lengths)) > 2
    # In the step behind their nth token are those that had more than n - 1 of them.
    expected = [sum(length > number for length in lengths) for number in range(max(lengths))]
    assert network.rows == expected[:8]


def test_cancelling(loaded_models: dict[str, LoadedModel]) -> None:
    loaded, network, _ = on_gpu(loaded_models["llama"], end_ids=frozenset())
    steps: list[int] = []
    with pytest.raises(CancelledError):
        decode(
            loaded,
            prompt_for(loaded),
            Sampling(count=4, max_new_tokens=200),
            on_step=steps.append,
            cancelled=lambda: len(steps) >= 3,
        )
    assert steps == [1, 2, 3]
    assert network.rows == [4, 4, 4]


def test_what_is_recorded(loaded_models: dict[str, LoadedModel]) -> None:
    """Each shape of a step is run once, recorded at its second use, and then only replayed, also for other goals."""
    loaded, network, recording = on_gpu(loaded_models["neox"], end_ids=frozenset())
    sampling = Sampling(count=10, max_new_tokens=70, seed=1)
    decode(loaded, prompt_for(loaded), sampling)  # 69 steps in rooms for 32, 64 and 128 tokens
    assert (recording.warmed, recording.recorded, recording.replayed) == (3, 3, 66)
    network.forget()
    decode(loaded, prompt_for(loaded, "exact h\n" * 9), sampling)
    assert (recording.warmed, recording.recorded, recording.replayed) == (3, 3, 135)
    decode(loaded, prompt_for(loaded), Sampling(count=3, max_new_tokens=5, seed=1))  # for four rows
    assert (recording.warmed, recording.recorded, recording.replayed) == (4, 4, 138)


def greedy(network: Any, prompt: EncodedPrompt, rows: int, steps: int, longest: int | None = None) -> list[list[int]]:
    """Tokens of rows that begin with the likeliest tokens and go on with the likeliest."""
    with torch.inference_mode():
        tokens = network.read(prompt, rows, longest or steps, lambda: None).topk(rows).indices[0]
        texts = [[int(token)] for token in tokens]
        for _ in range(steps - 1):
            tokens = network.step(tokens).argmax(-1)
            for text, token in zip(texts, tokens.tolist(), strict=True):
                text.append(token)
    return texts


@pytest.mark.parametrize("name", ["llama", "byt5"])
def test_memory_that_grows_takes_what_is_known_along(name: str) -> None:
    """More rows, a longer prompt, rows that outgrow their room: all records are void, and the answers the same."""
    model = make(name)
    recording = Recording()
    start = 0 if model.config.is_encoder_decoder else None
    network, other = static(model, start, recording), network_for(model, start)
    longer = EncodedPrompt(PROMPT.input_ids * 50)
    for prompt, rows, steps in ((PROMPT, 2, 20), (PROMPT, 9, 10), (longer, 9, 10), (PROMPT, 3, 150), (PROMPT, 33, 4)):
        before = recording.recorded
        assert greedy(network, prompt, rows, steps) == greedy(other, prompt, rows, steps)
        assert recording.recorded > before
    assert network._memory.room == Bucket(33, 512, 256)
    assert greedy(network, PROMPT, 2, 20, longest=5) == greedy(other, PROMPT, 2, 20)  # room for what is said and more


@pytest.mark.parametrize("name", ["llama", "byt5"])
@pytest.mark.parametrize("allocation", [0, 1, 2, 3])
def test_too_little_memory_leaves_a_sound_state(name: str, allocation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever memory runs out while more is reserved, smaller and larger requests are answered afterwards."""
    model = make(name)
    start = 0 if model.config.is_encoder_decoder else None
    network, other = static(model, start, Recording()), network_for(model, start)
    longer = EncodedPrompt(PROMPT.input_ids * 50)
    greedy(network, PROMPT, 2, 20)
    plain = torch.Tensor.new_zeros
    allocations = 0

    def short(*arguments: Any, **options: Any) -> torch.Tensor:
        nonlocal allocations
        allocations += 1
        if allocations > allocation:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return plain(*arguments, **options)

    with monkeypatch.context() as context:
        context.setattr(torch.Tensor, "new_zeros", short)
        with pytest.raises(torch.OutOfMemoryError):
            greedy(network, longer, 9, 20)
    for prompt, rows, steps in ((PROMPT, 2, 20), (longer, 9, 20), (PROMPT, 9, 150)):
        assert greedy(network, prompt, rows, steps) == greedy(other, prompt, rows, steps)


@pytest.mark.parametrize(
    ("needed", "bucket"),
    [
        ((1, 1, 1), (1, 256, 32)),
        ((2, 256, 32), (4, 256, 32)),
        ((10, 257, 33), (12, 512, 64)),
        ((13, 1500, 128), (32, 2048, 128)),
        ((40, 1, 1), (40, 256, 32)),
    ],
)
def test_buckets(needed: tuple[int, int, int], bucket: tuple[int, int, int]) -> None:
    assert Bucket.of(*needed) == Bucket(*bucket)


def test_numbers_that_are_none_do_not_stay(loaded_models: dict[str, LoadedModel]) -> None:
    """A mask takes nothing away from them, so that memory behind the last token has to be without."""
    loaded, _, _ = on_gpu(loaded_models["neox"], end_ids=frozenset())
    sampling = Sampling(count=4, max_new_tokens=20, seed=3)
    expected = decode(loaded, prompt_for(loaded), sampling)
    table = loaded.model.gpt_neox.embed_in.weight
    kept = table.clone()
    try:
        table.fill_(math.nan)
        with pytest.raises(GenerationError, match="not numbers"):
            decode(loaded, EncodedPrompt([7] * 100), sampling)
    finally:
        table.copy_(kept)
    assert_same(decode(loaded, prompt_for(loaded), sampling), expected)


def test_what_cannot_be_recorded_is_run_as_it_is(
    loaded_models: dict[str, LoadedModel], caplog: pytest.LogCaptureFixture
) -> None:
    class Refusing(Recording):
        def record(self, work: Any) -> Any:
            self.recorded += 1
            raise RuntimeError("operation not permitted when stream is capturing")

    recording = Refusing()
    loaded = attrs.evolve(
        loaded_models["llama"], network=StaticNetwork(loaded_models["llama"].model, recorder=recording)
    )
    sampling = Sampling(count=4, max_new_tokens=20, seed=3)
    with caplog.at_level(logging.WARNING):
        found = decode(loaded, prompt_for(loaded), sampling)
    assert_same(found, decode(loaded_models["llama"], prompt_for(loaded), sampling))
    assert (recording.warmed, recording.recorded) == (1, 1)
    assert "cannot be recorded as CUDA graphs" in caplog.text


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["neox", "neox-serial", "llama", "qwen2", "qwen3", "t5", "byt5"])
def test_half_precision_is_near(name: str, dtype: torch.dtype) -> None:
    """As near to float32 as the modules of transformers are in the same format, or nearer than twice their distance."""
    model, half = make(name), make(name).to(dtype)
    start = 0 if model.config.is_encoder_decoder else None
    if start is not None and dtype == torch.float16:
        assert not t5.knows(half)
        return

    def table(network: Any) -> torch.Tensor:
        with torch.inference_mode():
            steps = [network.read(PROMPT, 3, 4, lambda: None).expand(3, -1).clone()]
            steps += [network.step(torch.tensor(each)).clone() for each in ([4, 5, 6], [9, 9, 9], [70, 200, 2])]
        return torch.stack(steps).log_softmax(-1)

    exact = table(static(model, start))
    torch.testing.assert_close(exact, table(network_for(model, start)), atol=1e-4, rtol=1e-4)
    found = (table(static(half, start)) - exact).abs().mean()
    modules = CausalModules(half) if start is None else Seq2SeqModules(half, start)
    assert 0 < found < 2 * (table(modules) - exact).abs().mean()


def test_they_are_for_cuda_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    class Causal:
        def __init__(self, model: Any, make: Any) -> None: ...

    class Seq2Seq:
        def __init__(self, model: Any, start_id: int) -> None: ...

    monkeypatch.setattr("llmstep.engine.gpu.network.StaticNetwork", Causal)
    monkeypatch.setattr("llmstep.engine.gpu.t5.StaticT5", Seq2Seq)
    for name, kind in (("qwen2", Causal), ("gpt2", CausalModules), ("t5", Seq2Seq), ("mt5", Seq2SeqModules)):
        model = make(name)
        with monkeypatch.context() as context:
            context.setattr(type(model), "device", torch.device("cuda", 1))
            network = network_for(model, 0 if model.config.is_encoder_decoder else None)
        assert type(network) is kind


def test_numbers_come_as_lists() -> None:
    tokens, logprobs = torch.tensor([3, 4]), torch.tensor([-0.5, -1.0])
    assert Numbers(tokens, logprobs).lists() == [[3, 4], [-0.5, -1.0]]
