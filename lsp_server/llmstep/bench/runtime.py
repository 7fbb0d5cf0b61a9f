"""How long a request takes, next to another way to answer it, the plain `generate` of upstream's servers above all.

Upstream's protocol: one request after the other, 10 samples, temperature 0.5, at most 128 new tokens. Each round asks
both, in changing order, so that whatever else the machine does meets both alike; the ratio is the median of the rounds'
ratios. On a busy machine the processor time says more than the clock: it does not count the waiting (with several
threads it counts that of one thread for another, so that one thread is best for it).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.bench import gpu
from llmstep.engine.decode import decode
from llmstep.engine.postprocess import RawSample
from llmstep.progress import Progress, ProgressSink, silent
from llmstep.types import SamplingParams

if TYPE_CHECKING:
    from llmstep.engine.loaded import LoadedModel
    from llmstep.engine.prompt import EncodedPrompt


@attrs.frozen
class Case:
    """A prompt to be answered."""

    name: str
    prompt: EncodedPrompt


@attrs.frozen
class Times:
    """Seconds of several requests."""

    mean: float
    median: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Times:
        """
        Args:
            seconds: At least one.
        """
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
    cpu_ratio_median: float | None = None
    """As `ratio_median`, of processor times; none where upstream works in a process of its own."""
    seen_cpu_ratio_median: float | None = None
    cpu_pairs: tuple[tuple[float, float], ...] = ()
    """Upstream's processor time and ours, in each round."""


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


def measure(
    loaded: LoadedModel,
    cases: Sequence[Case],
    sampling: SamplingParams,
    *,
    rounds: int,
    against: Callable[[EncodedPrompt], None] | None,
    outside: bool = False,
    progress: ProgressSink = silent,
) -> tuple[list[CaseResult], int]:
    """Ask every case once a round.

    Args:
        loaded: The model, with the network that is measured.
        cases: Prompts.
        sampling: How to draw.
        rounds: At least one.
        against: What is asked, too; see `llmstep.bench.opponents`.
        outside: Whether that works in a process of its own, so that its processor time is not known.
        progress: Called for each round.

    Returns:
        A result for each case, and the peak of the memory before the other was first asked.
    """
    network: Any = loaded.decoder
    for case in cases[:1]:  # the first request of a process pays for much that no other one does
        decode(loaded, case.prompt, attrs.evolve(sampling, max_new_tokens=2))
    ours: dict[str, list[_Run]] = {case.name: [] for case in cases}
    seen: dict[str, list[_Run]] = {case.name: [] for case in cases}
    theirs: dict[str, list[_Run]] = {case.name: [] for case in cases}

    def ask_ours(case: Case) -> None:
        if network is not None:
            network.forget()
        ours[case.name].append(_ours(loaded, case, sampling))
        seen[case.name].append(_ours(loaded, case, sampling))

    def ask_theirs(case: Case) -> None:
        assert against is not None
        theirs[case.name].append(_theirs(against, case, loaded.device))

    for case in cases:
        ask_ours(case)
    peak = gpu.peak_bytes(loaded.device)
    if against is not None:
        for case in cases:
            ask_theirs(case)
    for number in range(1, rounds):
        for case in cases:
            order = [ask_ours, ask_theirs] if against is not None else [ask_ours]
            for ask in order if number % 2 else reversed(order):
                ask(case)
            ours_now = f"{case.name}: {ours[case.name][-1].seconds:.2f} s, seen {seen[case.name][-1].seconds:.2f} s"
            line = f"[{number + 1}/{rounds}] {ours_now}" + (
                f", the other {theirs[case.name][-1].seconds:.2f} s" if theirs[case.name] else ""
            )
            progress(Progress("measure", line, number + 1, rounds))
    results = [_result(case, ours[case.name], seen[case.name], theirs[case.name], outside=outside) for case in cases]
    return results, peak


@attrs.frozen
class _Run:
    seconds: float
    cpu: float
    first: float = 0.0
    tokens: int = 0


def _ours(loaded: LoadedModel, case: Case, sampling: SamplingParams) -> _Run:
    started, cpu = time.perf_counter(), time.process_time()
    first = 0.0

    def on_sample(_: RawSample) -> None:
        nonlocal first
        first = first or time.perf_counter() - started

    samples = decode(loaded, case.prompt, sampling, on_sample=on_sample)
    gpu.synchronize(loaded.device)
    tokens = sum(sample.tokens for sample in samples)
    return _Run(time.perf_counter() - started, time.process_time() - cpu, first, tokens)


def _theirs(ask: Callable[[EncodedPrompt], None], case: Case, device: str) -> _Run:
    started, cpu = time.perf_counter(), time.process_time()
    ask(case.prompt)
    gpu.synchronize(device)
    return _Run(time.perf_counter() - started, time.process_time() - cpu)


def _result(case: Case, ours: list[_Run], seen: list[_Run], theirs: list[_Run], *, outside: bool) -> CaseResult:
    result = CaseResult(
        name=case.name,
        prompt_tokens=len(case.prompt.input_ids),
        new_tokens=statistics.fmean(run.tokens for run in ours),
        ours=Times.of([run.seconds for run in ours]),
        seen=Times.of([run.seconds for run in seen]),
        first_candidate=statistics.median(run.first for run in ours),
        tokens_per_second=statistics.median(run.tokens / run.seconds for run in ours),
        cpu=statistics.median(run.cpu for run in ours),
        seen_cpu=statistics.median(run.cpu for run in seen),
    )
    if not theirs:
        return result
    pairs = tuple((their.seconds, our.seconds) for their, our in zip(theirs, ours, strict=True))
    again = list(zip(theirs, seen, strict=True))
    result = attrs.evolve(
        result,
        upstream=Times.of([run.seconds for run in theirs]),
        pairs=pairs,
        ratio_median=statistics.median(their / our for their, our in pairs),
        seen_ratio_median=statistics.median(their.seconds / our.seconds for their, our in again),
    )
    if outside:
        return result
    cpu_pairs = tuple((their.cpu, our.cpu) for their, our in zip(theirs, ours, strict=True))
    return attrs.evolve(
        result,
        cpu_pairs=cpu_pairs,
        cpu_ratio_median=statistics.median(their / our for their, our in cpu_pairs),
        seen_cpu_ratio_median=statistics.median(their.cpu / our.cpu for their, our in again),
    )
