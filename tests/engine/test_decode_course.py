"""Decoding while it goes on: cancelling, samples that are told as they end, models that fail, batches."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch

from llmstep.cancel import CancelToken
from llmstep.engine import generate as generate_module
from llmstep.engine.decode import decode
from llmstep.errors import CancelledError, GenerationError
from llmstep.types import SamplingParams

from .sampling import FAMILIES, GREEDY, Recorder, prompt_for

if TYPE_CHECKING:
    from llmstep.engine.loaded import LoadedModel
    from llmstep.engine.postprocess import RawSample
    from llmstep.progress import Progress, ProgressSink


def stopping_after(count: int) -> tuple[list[int], CancelToken, ProgressSink]:
    """The steps that are seen, a token that is requested after `count` of them, and the sink that does so."""
    steps: list[int] = []
    cancel = CancelToken()

    def progress(update: Progress) -> None:
        steps.append(update.done)
        if len(steps) == count:
            cancel.request()

    return steps, cancel, progress


def test_cancelling_stops_generate(loaded_models: dict[str, LoadedModel]) -> None:
    loaded = attrs.evolve((loaded_models["neox"]), end_ids=frozenset())
    steps, cancel, progress = stopping_after(3)
    with pytest.raises(CancelledError):
        decode(
            loaded,
            prompt_for(loaded),
            SamplingParams(count=4, max_new_tokens=200),
            progress=progress,
            cancel=cancel,
        )
    assert steps == [1, 2, 3]


@pytest.mark.parametrize("name", FAMILIES)
def test_samples_are_told_as_they_end(loaded_models: dict[str, LoadedModel], way: Any, name: str) -> None:
    """Each sample once, in the step that ends it, and exactly as it is in the answer."""
    loaded = way(loaded_models[name])
    told: list[tuple[int, RawSample]] = []
    steps = [0]
    sampling = SamplingParams(count=12, temperature=2.0, max_new_tokens=9, seed=4)
    prompt = prompt_for(loaded)
    first = decode(loaded, prompt, sampling)[0].text
    stops = (next(letter for letter in first if letter.isascii()),)
    samples = decode(
        loaded,
        prompt,
        sampling,
        stops=stops,
        progress=lambda update: steps.append(update.done),
        on_sample=lambda sample: told.append((steps[-1] + 1, sample)),
    )
    assert sorted(map(repr, samples)) == sorted(repr(sample) for _, sample in told)
    assert [step for step, sample in told] == [sample.tokens for _, sample in told]
    assert told[0][1].tokens < told[-1][1].tokens


class Failing:
    """A model of which every pass fails."""

    def __init__(self, fail: Any) -> None:
        self.generate = lambda **_: fail()


def test_a_failing_model_is_a_generation_error(loaded_models: dict[str, LoadedModel]) -> None:
    def fail() -> None:
        raise RuntimeError("kaput")

    loaded = attrs.evolve(loaded_models["neox"], model=Failing(fail))
    with pytest.raises(GenerationError) as caught:
        decode(loaded, prompt_for(loaded), GREEDY)
    assert "neox failed while generating: RuntimeError: kaput." in caught.value.message
    assert caught.value.hint


def test_want_of_memory_while_generating(loaded_models: dict[str, LoadedModel]) -> None:
    # what torch itself raises when there is no more
    loaded = attrs.evolve(loaded_models["neox"], model=Failing(lambda: torch.empty(1 << 60)))
    with pytest.raises(GenerationError) as caught:
        decode(loaded, prompt_for(loaded), GREEDY)
    assert caught.value.message == "The memory of cpu was not enough for this request to neox."
    assert "llmstep.count" in caught.value.hint


def test_logits_that_are_no_numbers(loaded_models: dict[str, LoadedModel]) -> None:
    loaded = attrs.evolve(loaded_models["neox"], model=copy.deepcopy(loaded_models["neox"].model))
    loaded.model.get_output_embeddings().weight.data.fill_(math.nan)
    for sampling in (GREEDY, SamplingParams(count=3)):
        with pytest.raises(GenerationError) as caught:
            decode(loaded, prompt_for(loaded), sampling)
        assert "its logits are not numbers" in caught.value.message


def test_nothing_is_printed(loaded_models: dict[str, LoadedModel], capfd: pytest.CaptureFixture[str]) -> None:
    """Standard output may be an LSP stream, and warnings about generation flags are no one's business."""
    for loaded in loaded_models.values():
        decode(loaded, prompt_for(loaded), GREEDY)
        decode(loaded, prompt_for(loaded), SamplingParams(count=2, top_p=0.5, max_new_tokens=3))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_many_samples_are_drawn_in_batches(
    loaded_models: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate_module, "MAX_ROWS", 4)
    loaded = attrs.evolve(loaded_models["neox"], end_ids=frozenset())
    recorder = Recorder(monkeypatch)
    steps: list[int] = []
    samples = decode(
        loaded,
        prompt_for(loaded),
        SamplingParams(count=10, temperature=1.0, max_new_tokens=3, seed=1),
        progress=lambda update: steps.append(update.done),
    )
    assert [len(batch) for batch in recorder.batches] == [4, 4, 2]
    assert steps == list(range(1, 10))
    assert len(samples) == 10
    assert len({sample.text for sample in samples}) > 4  # batches do not repeat each other


@pytest.mark.parametrize("name", FAMILIES)
def test_cancelling_stops_within_one_step(loaded_models: dict[str, LoadedModel], way: Any, name: str) -> None:
    loaded = attrs.evolve(way(loaded_models[name]), end_ids=frozenset())
    steps, cancel, progress = stopping_after(5)
    with pytest.raises(CancelledError):
        decode(
            loaded,
            prompt_for(loaded),
            SamplingParams(count=4, temperature=1.0, max_new_tokens=64, seed=1),
            progress=progress,
            cancel=cancel,
        )
    assert steps == [1, 2, 3, 4, 5]


def test_cancelled_before_it_begins(loaded_models: dict[str, LoadedModel]) -> None:
    loaded = loaded_models["neox"]
    cancel = CancelToken()
    cancel.request()
    with pytest.raises(CancelledError):
        decode(loaded, prompt_for(loaded), GREEDY, progress=lambda _: pytest.fail("a step"), cancel=cancel)
