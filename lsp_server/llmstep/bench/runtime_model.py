"""Models and prompts for the runtime benchmark."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from llmstep.bench import gpu, shapes
from llmstep.bench.hardware import Floor, Speeds, machine
from llmstep.bench.opponents import LLAMA_CPP, opponent
from llmstep.bench.runtime import Case, Report, measure
from llmstep.cancel import NEVER
from llmstep.engine import own_decoder
from llmstep.engine.device import cpu_threads, place
from llmstep.engine.loaded import LoadedModel, Plan
from llmstep.engine.prompt import EncodedPrompt, encode
from llmstep.errors import RequestError
from llmstep.progress import ProgressSink, silent
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from llmstep.catalog.template import PromptTemplate
    from llmstep.settings import Settings

PROMPT_TOKENS = (50, 200, 400)
"""Lengths of the prompts for models without real weights."""
RANDOM_TOKENS = 32
"""New tokens of each sample of such a model."""


@attrs.frozen
class Subject:
    """What is measured."""

    loaded: LoadedModel
    random_weights: bool
    template: PromptTemplate | None
    dtype: str
    load_seconds: float
    shapes: dict[str, tuple[int, int]]
    """Outputs and inputs of the network's products, by name."""

    def floor(self, threads: int) -> Floor | None:
        """The floor of a request on a CPU; None elsewhere, and where `generate` runs the model.

        Args:
            threads: Threads of the request.
        """
        if not self.shapes or self.loaded.plan.placement.device != "cpu":
            return None
        each = {"int8": 1.0, "int4": 0.547}.get(self.dtype, 4.0)
        return Floor.of(self.shapes, each, Speeds.measure(self.dtype, threads))


def subject(settings: Settings) -> Subject:
    """Load what the settings name, a shape among them, with products of the settings' format.

    Raises:
        ModelError: It cannot be loaded.
        RequestError: The model cannot be run in that format.
    """
    started = time.perf_counter()
    shape = settings.model.endswith(shapes.SUFFIX)
    loaded, template = (_shape(settings), None) if shape else _real(settings)
    seen = loaded.decoder.network.shapes if loaded.decoder is not None else {}
    return Subject(loaded, shape, template, loaded.plan.placement.dtype, time.perf_counter() - started, seen)


def _shape(settings: Settings) -> LoadedModel:
    """A model of a shape, as the engine would load one of its files."""
    folder = shapes.folder(settings.model)
    if settings.dtype in own_decoder.FORMATS and not gpu.chosen(settings):
        plan = own_decoder.inspect(folder, name=settings.model, settings=settings)
        if plan is not None:
            return own_decoder.load(plan, cache=folder / "packed")
        raise RequestError(f"{settings.model} cannot be run in {settings.dtype} on a CPU.", hint="Take another shape.")
    from llmstep.engine.plan import inspect

    return _by_torch(inspect(folder, name=settings.model, placement=place(settings.device, settings.dtype)))


def _by_torch(plan: Plan) -> LoadedModel:
    """A model of a shape as a module of transformers; the decoder's tokenizer knows tokens beyond the bytes."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    from llmstep.decoder.tokenizer import read

    auto = AutoModelForCausalLM if plan.family == "causal" else AutoModelForSeq2SeqLM
    module = auto.from_pretrained(plan.folder, dtype=plan.placement.dtype)
    module = module.to(plan.placement.device).eval().requires_grad_(False)
    return LoadedModel(
        plan=plan,
        model=module,
        tokenizer=read(plan.folder),
        end_ids=frozenset(),
        pad_id=0,
        start_id=0 if plan.family == "seq2seq" else None,
        positions=None,
        device=str(module.device),
    )


def _real(settings: Settings) -> tuple[LoadedModel, PromptTemplate]:
    from llmstep.catalog.resolve import resolve
    from llmstep.engine.prepare import prepare

    choice = resolve(settings)
    plan = prepare(settings, choice, None, silent, NEVER)
    if not plan.needs_torch:
        return own_decoder.load(plan), choice.template
    from llmstep.engine.loader import load

    return load(plan), choice.template


def run_benchmark(
    model: Subject,
    cases: Sequence[Case],
    *,
    samples: int = 10,
    temperature: float = 0.5,
    max_tokens: int = 128,
    fixed: int | None = None,
    rounds: int = 5,
    threads: int = 0,
    against: str | None = None,
    progress: ProgressSink = silent,
) -> Report:
    """Measure a model; see `llmstep.bench.runtime.measure`.

    Args:
        model: The subject.
        cases: Its prompts.
        samples: Samples per request.
        temperature: Of the sampling.
        max_tokens: Most new tokens of a sample.
        fixed: New tokens of every sample, whose end is then ignored; None takes 32 where weights are random.
        rounds: Requests for each case.
        threads: CPU threads; 0 as the engine does it.
        against: What is measured beside it, one of `opponents.OPPONENTS`.
        progress: Called for each round.
    """
    if fixed is None and model.random_weights:
        fixed = RANDOM_TOKENS
    loaded = model.loaded if fixed is None else attrs.evolve(model.loaded, end_ids=frozenset())
    used = cpu_threads(threads, loaded.plan.parameters)
    if loaded.decoder is not None:
        loaded.decoder.threads = used
    else:
        import torch

        torch.set_num_threads(used)
    record = machine() | gpu.machine(loaded.device)
    sampling = SamplingParams(samples, temperature, 1.0, fixed or max_tokens)
    other = opponent(against, loaded, sampling, fixed=fixed is not None, threads=used) if against else None
    outside = against in LLAMA_CPP
    results, peak = measure(loaded, cases, sampling, rounds=rounds, against=other, outside=outside, progress=progress)
    if floor := model.floor(used):
        steps = [round(result.new_tokens / samples) for result in results]  # of an average sample
        results = [
            attrs.evolve(result, floor=floor.seconds(result.prompt_tokens, step))
            for result, step in zip(results, steps, strict=True)
        ]
    return Report(
        model=loaded.plan.name,
        random_weights=model.random_weights,
        dtype=model.dtype,
        fixed_tokens=fixed,
        samples=samples,
        temperature=temperature,
        threads=used,
        load_seconds=model.load_seconds,
        peak_bytes=peak,
        against=against,
        machine=record,
        cases=tuple(results),
    )


def cases_of(file: Path | None, model: Subject, lengths: Sequence[int] = PROMPT_TOKENS) -> list[Case]:
    """The prompts of a JSONL file of {"goal", "prefix"}; without one, goals of the benchmark's own.

    For random weights the prompts are random, too, of so many tokens.

    Raises:
        RequestError: A line of the file is no case.
    """
    if file is not None:
        asks = _read(file)
    elif model.template is None:
        return [_random(length) for length in lengths]
    else:
        asks = [(f"goal {number}", PromptInput(Goal(text))) for number, text in enumerate(GOALS, start=1)]
    loaded = model.loaded
    if model.template is None:
        return [Case(name, EncodedPrompt(_bytes(loaded, ask), [])) for name, ask in asks]
    limit = loaded.positions or 2048
    return [Case(name, encode(model.template, ask, loaded.tokenizer, limit * 3 // 4)) for name, ask in asks]


def _bytes(loaded: LoadedModel, ask: PromptInput) -> list[int]:
    return list(loaded.tokenizer(ask.goal.text + ask.prefix, add_special_tokens=False)["input_ids"])


def _random(length: int) -> Case:
    draw = random.Random(length)
    return Case(f"{length} tokens", EncodedPrompt([draw.randrange(3, 256) for _ in range(length)], []))


def _read(file: Path) -> Sequence[tuple[str, PromptInput]]:
    asks = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            raw = json.loads(line)
            asks.append(
                (
                    str(raw.get("name", f"line {number}")),
                    PromptInput(Goal.from_state(raw["goal"]), raw.get("prefix", "")),
                )
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            raise RequestError(
                f"{file}:{number} is no case.", hint='A line is {"goal": "h : p\\n⊢ p", "prefix": "exact "}.'
            ) from None
    if not asks:
        raise RequestError(f"{file} has no cases.", hint='A line is {"goal": "h : p\\n⊢ p", "prefix": "exact "}.')
    return asks


GOALS = (
    "p q : Prop\nhp : p\n⊢ p ∨ q",
    "p q r : Prop\nhpq : p → q\nhqr : q → r\nhp : p\n⊢ r",
    "α : Type\nP Q : α → Prop\nh : ∀ x, P x ∧ Q x\n⊢ (∀ x, P x) ∧ ∀ x, Q x",
)
