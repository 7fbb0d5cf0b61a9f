"""Samples and their scores, against plain `generate` and a forward pass by hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch

from llmstep import decoder
from llmstep.decoder.rows import Rows
from llmstep.engine.decode import decode
from llmstep.types import SamplingParams

from .sampling import FAMILIES, GREEDY, Recorder, logprob_by_hand, plain_greedy, prompt_for

if TYPE_CHECKING:
    from llmstep.engine.loaded import LoadedModel


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("prefix", ["", "rw [h"])
def test_greedy_is_plain_generate(loaded_models: dict[str, LoadedModel], way: Any, name: str, prefix: str) -> None:
    loaded = way(loaded_models[name])
    prompt = prompt_for(loaded, prefix=prefix)
    expected = plain_greedy(loaded, prompt, GREEDY.max_new_tokens)
    [sample] = decode(loaded, prompt, GREEDY)
    kept = [token for token in expected if token not in loaded.end_ids]
    assert sample.text == loaded.tokenizer.decode(kept, clean_up_tokenization_spaces=False)
    assert sample.tokens == len(expected)
    assert sample.logprob_sum == pytest.approx(logprob_by_hand(loaded, prompt, expected), abs=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("prefix", ["", "rw [h"])
def test_scores_of_samples_are_those_of_a_forward_pass(
    loaded_models: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch, way: Any, name: str, prefix: str
) -> None:
    """The model's own distribution counts, whatever temperature and nucleus make of it; tokens after the end do not."""
    loaded = attrs.evolve(way(loaded_models[name]), end_ids=frozenset())
    prompt = prompt_for(loaded, prefix=prefix)
    recorder = Recorder(monkeypatch)
    sampling = SamplingParams(count=8, temperature=4.0, top_p=0.9, max_new_tokens=12, seed=3)
    decode(loaded, prompt, sampling)
    [free] = recorder.batches
    # Ends that this seed is known to hit, so that samples end one after the other.
    loaded.end_ids = frozenset({free[0][2], free[1][5], free[2][0]})
    samples = decode(loaded, prompt, sampling)
    batch = recorder.batches[1]
    assert len(batch) == len(samples) == 8
    for sample, new, uncut in zip(samples, batch, free, strict=True):
        ends = [place for place, token in enumerate(uncut) if token in loaded.end_ids]
        assert new == uncut[: ends[0] + 1 if ends else 12]  # and the others go on as they would have
        assert sample.tokens == len(new)
        assert sample.logprob_sum == pytest.approx(logprob_by_hand(loaded, prompt, new), abs=1e-4)
        kept = new[:-1] if ends else new
        assert sample.text == loaded.tokenizer.decode(kept, clean_up_tokenization_spaces=False)
    lengths = {len(new) for new in batch}
    assert len(lengths) >= 2
    assert 1 in lengths


def test_a_stop_ends_a_sample_and_counts(loaded_models: dict[str, LoadedModel], way: Any) -> None:
    loaded = way(loaded_models["neox"])
    prompt = prompt_for(loaded)
    [whole] = decode(loaded, prompt, GREEDY)
    assert whole.tokens == 12
    stop = whole.text[3:6]
    [cut] = decode(loaded, prompt, GREEDY, stops=("never said", stop))
    assert cut.tokens < whole.tokens
    assert stop in cut.text
    assert whole.text.startswith(cut.text)
    new = plain_greedy(loaded, prompt, cut.tokens)
    assert cut.logprob_sum == pytest.approx(logprob_by_hand(loaded, prompt, new), abs=1e-4)


@pytest.mark.parametrize("models", ["loaded_models", "own_models"])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_lead_has_a_limit_of_its_own(request: pytest.FixtureRequest, models: str, name: str) -> None:
    """Random weights end no lead; `Rows` is given one that ends."""
    loaded = attrs.evolve(request.getfixturevalue(models)[name], end_ids=frozenset())
    prompt = prompt_for(loaded)
    for most_of_lead, most, drawn in ((7, 3, 7), (3, 7, 3)):
        lead = decoder.Lead((), ("never said",), most_of_lead)
        samples = decode(loaded, prompt, SamplingParams(2, 1.0, 1.0, most, 11), lead=lead)
        assert [(sample.tokens, sample.cut) for sample in samples] == [(drawn, True)] * 2

    def taken(text: str, lead: decoder.Lead) -> int:
        """Tokens of a text until a sample is full, where three may come behind the lead."""
        params = decoder.SamplingParams(max_tokens=3, lead=lead)
        rows = Rows(loaded.tokenizer, frozenset(), [], 1, params)
        ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
        return next(number for number, token in enumerate(ids, start=1) if rows.take([0], [token], [-1.0]))

    thought = "<think>exact h</think>"
    length = len(loaded.tokenizer(thought, add_special_tokens=False)["input_ids"])
    for begins in ((), ("<think>",)):
        assert taken(thought + "\nintro h intro h", decoder.Lead(begins, ("</think>",), 64)) == length + 3
        assert taken(thought, decoder.Lead(begins, ("</think>",), length - 2)) == length - 2
    assert taken("intro h intro h intro h", decoder.Lead(("<think>",), ("</think>",), 64)) == 3


def test_a_stop_may_be_spread_over_bytes(loaded_models: dict[str, LoadedModel], way: Any) -> None:
    """In ByT5 every character of a stop is a token or several of its own."""
    loaded = way(loaded_models["byt5"])
    prompt = prompt_for(loaded)
    [whole] = decode(loaded, prompt, attrs.evolve(GREEDY, max_new_tokens=40))
    new = plain_greedy(loaded, prompt, 40)
    text = loaded.tokenizer.decode(new[:9], clean_up_tokenization_spaces=False)
    stop = text[-4:]
    [cut] = decode(loaded, prompt, attrs.evolve(GREEDY, max_new_tokens=40), stops=(stop,))
    assert cut.tokens <= 9 < whole.tokens
    assert cut.text.endswith(stop)


def test_other_samples_go_on_after_one_has_stopped(loaded_models: dict[str, LoadedModel], way: Any) -> None:
    loaded = way(loaded_models["neox"])
    prompt = prompt_for(loaded)
    sampling = SamplingParams(count=6, temperature=1.0, max_new_tokens=10, seed=1)
    free = decode(loaded, prompt, sampling)
    stop = next(letter for sample in free for letter in sample.text if letter.isascii())
    stopped = decode(loaded, prompt, sampling, stops=(stop,))
    for before, after in zip(free, stopped, strict=True):
        if stop in before.text:
            assert before.text[: before.text.index(stop) + 1] in after.text
        else:
            assert after == before
    assert {sample.tokens == 10 for sample in stopped} == {True, False}


def test_the_text_keeps_the_blank_before_its_first_word(loaded_models: dict[str, LoadedModel]) -> None:
    """A tokenizer that strips a leading blank when it decodes must not glue the answer to the prefix."""
    loaded = attrs.evolve(loaded_models["llama"])
    inner = loaded.tokenizer

    class Stripping:
        """Decodes as tokenizers in SentencePiece style do."""

        def decode(self, ids: list[int], **options: Any) -> str:
            return inner.decode(ids, **options).removeprefix(" ")

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    loaded.tokenizer = Stripping()
    ids = inner(" exact", add_special_tokens=False)["input_ids"]
    prompt = prompt_for(loaded_models["llama"], prefix="rw")
    rows = Rows(loaded.tokenizer, frozenset(), prompt.input_ids, 1, decoder.SamplingParams(max_tokens=8))
    for token in ids:
        assert rows.take([0], [token], [-1.0]) == []
    assert rows.sample(0).text == " exact"


def test_the_seed_fixes_the_draw(loaded_models: dict[str, LoadedModel], way: Any) -> None:
    loaded = way(loaded_models["neox"])
    prompt = prompt_for(loaded)
    before = torch.random.get_rng_state()

    def texts(seed: int | None) -> list[str]:
        sampling = SamplingParams(count=4, temperature=1.0, max_new_tokens=8, seed=seed)
        return [sample.text for sample in decode(loaded, prompt, sampling)]

    assert texts(7) == texts(7)
    assert texts(7) != texts(8)
    assert texts(None) != texts(None)
    assert torch.equal(before, torch.random.get_rng_state())


def test_temperature_and_nucleus_reach_the_model(loaded_models: dict[str, LoadedModel], way: Any) -> None:
    """A tiny nucleus, and a temperature near 0, both leave the likeliest token only."""
    loaded = way(loaded_models["neox"])
    prompt = prompt_for(loaded)
    [greedy] = decode(loaded, prompt, GREEDY)
    for narrow in ({"temperature": 1.0, "top_p": 0.01}, {"temperature": 1e-4}):
        samples = decode(loaded, prompt, SamplingParams(count=3, max_new_tokens=12, **narrow))
        assert {sample.text for sample in samples} == {greedy.text}
        assert all(sample.logprob_sum == pytest.approx(greedy.logprob_sum, abs=1e-4) for sample in samples)
    wide = decode(loaded, prompt, SamplingParams(count=16, temperature=1.0, max_new_tokens=12, seed=1))
    assert len({sample.text for sample in wide}) > 8


def test_no_top_k_of_transformers_is_left(loaded_models: dict[str, LoadedModel], way: Any) -> None:
    """Its default keeps 50 tokens; with a flat distribution many more than those must turn up."""
    loaded = way(loaded_models["neox"])
    prompt = prompt_for(loaded)
    sampling = SamplingParams(count=256, temperature=5.0, max_new_tokens=1, seed=1)
    assert len({sample.text for sample in decode(loaded, prompt, sampling)}) > 60


def test_probabilities_are_probabilities(loaded_models: dict[str, LoadedModel]) -> None:
    loaded = loaded_models["neox"]
    for sample in decode(loaded, prompt_for(loaded), SamplingParams(count=10, max_new_tokens=5)):
        assert -math.inf < sample.logprob_sum < 0
