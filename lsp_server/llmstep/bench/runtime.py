"""How long a request takes, next to another way to answer it, the plain `generate` of upstream's servers above all.

Upstream's protocol: one request after the other, 10 samples, temperature 0.5, at most 128 new tokens. Each round asks
both, in changing order, so that whatever else the machine does meets both alike; the ratio is the median of the rounds'
ratios.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.bench.hardware import Floor, Speeds, machine, peak_bytes, synchronize
from llmstep.bench.opponents import opponent
from llmstep.engine.decode import decode
from llmstep.engine.device import cpu_threads
from llmstep.engine.postprocess import RawSample
from llmstep.progress import Progress, ProgressSink, silent
from llmstep.types import SamplingParams

if TYPE_CHECKING:
    from llmstep.catalog.template import PromptTemplate
    from llmstep.engine.loaded import LoadedModel
    from llmstep.engine.prompt import EncodedPrompt

RANDOM_TOKENS = 32
"""New tokens of each sample of a model with random weights."""


@attrs.frozen
class Case:
    """A prompt to be answered."""

    name: str
    prompt: EncodedPrompt


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
        """The floor of a request on a CPU; None elsewhere, and where `generate` runs the model."""
        if not self.shapes or self.loaded.plan.placement.device != "cpu":
            return None
        each = {"int8": 1.0, "int4": 0.547}.get(self.dtype, 4.0)
        return Floor.of(self.shapes, each, Speeds.measure(self.dtype, threads))


@attrs.frozen
class Times:
    """Seconds of several requests."""

    mean: float
    median: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Times:
        ordered = sorted(seconds)
        place = min(len(ordered) - 1, int(0.95 * len(ordered)))
        return cls(statistics.fmean(ordered), statistics.median(ordered), ordered[place])


@attrs.frozen
class CaseResult:
    """What was measured for one case; times in seconds."""

    name: str
    prompt_tokens: int
    new_tokens: float
    """Tokens drawn per request, all samples together, mean."""
    ours: Times
    """Requests for a goal that was not seen before."""
    seen: Times
    """Requests for the goal that was asked just before."""
    first_candidate: float
    """Median time to the first finished candidate; that of the whole answer where the number of tokens is fixed."""
    tokens_per_second: float
    """Tokens of all samples per second of a request, median."""
    floor: float | None = None
    """The least time that memory and arithmetic of this machine allow for it; see `hardware.Floor`."""
    upstream: Times | None = None
    ratio_median: float | None = None
    """Median over the rounds of upstream's time over ours."""
    seen_ratio_median: float | None = None
    pairs: tuple[tuple[float, float], ...] = ()
    """Upstream's time and ours, in each round."""
    cpu: float = 0.0
    """Median processor time of a request, all threads together."""
    seen_cpu: float = 0.0
    """The same for a goal that was asked just before."""


@attrs.frozen
class Report:
    """All that was measured in one run."""

    model: str
    random_weights: bool
    dtype: str
    fixed_tokens: int | None
    """New tokens of every sample, where their number is fixed; None where samples end by themselves."""
    samples: int
    temperature: float
    threads: int
    load_seconds: float
    peak_bytes: int
    """Largest memory up to the end of our first requests: of the process, or of the GPUs where the model is on one."""
    machine: dict[str, Any]
    cases: tuple[CaseResult, ...]
    against: str | None = None
    """What is measured beside it, as `upstream` in the cases."""


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
    """Ask every case once a round.

    Args:
        samples: Samples per request.
        max_tokens: Most new tokens of a sample.
        fixed: New tokens of every sample, whose end is then ignored; None takes 32 where weights are random.
        rounds: At least one.
        threads: CPU threads; 0 as the engine does it.
        against: What is measured beside it, one of `opponents.OPPONENTS`.
        progress: Called for each round.
    """
    if fixed is None and model.random_weights:
        fixed = RANDOM_TOKENS
    loaded = model.loaded if fixed is None else attrs.evolve(model.loaded, end_ids=frozenset())
    loaded.use_threads(threads)
    used, record = cpu_threads(threads, loaded.plan.parameters), machine(loaded.device)
    sampling = SamplingParams(samples, temperature, 1.0, fixed or max_tokens)
    runs = {case.name: _Runs() for case in cases}

    def ask_ours(case: Case) -> None:
        if loaded.decoder is not None:
            loaded.decoder.forget()
        runs[case.name].ours.append(_ours(loaded, case, sampling))
        runs[case.name].seen.append(_ours(loaded, case, sampling))

    def ask_theirs(case: Case) -> None:
        started = time.perf_counter()
        other(case.prompt)
        synchronize(loaded.device)
        runs[case.name].theirs.append(time.perf_counter() - started)

    asks: list[Callable[[Case], None]] = [ask_ours]
    with contextlib.ExitStack() as ending:
        if against is not None:
            other = ending.enter_context(opponent(against, loaded, sampling, fixed=fixed is not None, threads=used))
            asks.append(ask_theirs)
        decode(loaded, cases[0].prompt, attrs.evolve(sampling, max_new_tokens=2))  # pays for what no other one does
        for case in cases:
            ask_ours(case)
        peak = peak_bytes(loaded.device)
        for ask in asks[1:]:
            for case in cases:
                ask(case)
        for number in range(1, rounds):
            for case in cases:
                for ask in asks if number % 2 else asks[::-1]:
                    ask(case)
                known = runs[case.name]
                more = f", the other {known.theirs[-1]:.2f} s" if known.theirs else ""
                line = f"{case.name}: {known.ours[-1].seconds:.2f} s, seen {known.seen[-1].seconds:.2f} s{more}"
                progress(Progress("measure", f"[{number + 1}/{rounds}] {line}", number + 1, rounds))
    floor = model.floor(used)
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
        cases=tuple(_result(case, runs[case.name], floor, samples) for case in cases),
    )


@attrs.frozen
class _Run:
    seconds: float
    cpu: float
    first: float
    tokens: int


def _ours(loaded: LoadedModel, case: Case, sampling: SamplingParams) -> _Run:
    started, cpu = time.perf_counter(), time.process_time()
    first = 0.0

    def on_sample(_: RawSample) -> None:
        nonlocal first
        first = first or time.perf_counter() - started

    samples = decode(loaded, case.prompt, sampling, on_sample=on_sample)
    synchronize(loaded.device)
    tokens = sum(sample.tokens for sample in samples)
    return _Run(time.perf_counter() - started, time.process_time() - cpu, first, tokens)


@attrs.define
class _Runs:
    """The requests for a case."""

    ours: list[_Run] = attrs.field(factory=list)
    seen: list[_Run] = attrs.field(factory=list)
    theirs: list[float] = attrs.field(factory=list)

    def pairs(self, runs: list[_Run]) -> tuple[tuple[float, float], ...]:
        return tuple((their, our.seconds) for their, our in zip(self.theirs, runs, strict=False))

    def ratio(self, runs: list[_Run]) -> float | None:
        ratios = [their / our for their, our in self.pairs(runs)]
        return statistics.median(ratios) if ratios else None


def _result(case: Case, runs: _Runs, floor: Floor | None, samples: int) -> CaseResult:
    length, new_tokens = len(case.prompt.input_ids), statistics.fmean(run.tokens for run in runs.ours)
    return CaseResult(
        name=case.name,
        prompt_tokens=length,
        new_tokens=new_tokens,
        ours=Times.of([run.seconds for run in runs.ours]),
        seen=Times.of([run.seconds for run in runs.seen]),
        first_candidate=statistics.median(run.first for run in runs.ours),
        tokens_per_second=statistics.median(run.tokens / run.seconds for run in runs.ours),
        floor=None if floor is None else floor.seconds(length, round(new_tokens / samples)),
        cpu=statistics.median(run.cpu for run in runs.ours),
        seen_cpu=statistics.median(run.cpu for run in runs.seen),
        upstream=Times.of(runs.theirs) if runs.theirs else None,
        ratio_median=runs.ratio(runs.ours),
        seen_ratio_median=runs.ratio(runs.seen),
        pairs=runs.pairs(runs.ours),
    )
