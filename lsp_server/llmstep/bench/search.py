"""The benchmark of whole proofs: one attempt a theorem, by any strategy, results kept so that a run can go on.

The protocol of the search is that of Welleck & Saha (arXiv:2310.18457): 100 expansions, 32 candidates an expansion and
600 seconds a theorem, the sum of log-probabilities as the score, an end at the first proof. Candidates are sampled
here and come from beam search there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.bench.results import read_lines
from llmstep.bench.statistics import wilson
from llmstep.errors import GenerationError, LeanCrashedError, LeanTimeoutError, NoGoalError
from llmstep.lean.insertion_points import find_insertion_points
from llmstep.search.interface import Task

if TYPE_CHECKING:
    from llmstep.bench.theorems import Theorem
    from llmstep.proofs.plan import Plan
    from llmstep.proofs.prover import WholeProver

_OF_THE_THEOREM = (NoGoalError, LeanTimeoutError, LeanCrashedError, GenerationError)
"""Errors that say something about one theorem, after which the next one is tried."""


@attrs.frozen
class Result:
    """What came of one theorem: a line of the results."""

    name: str
    outcome: str
    """`proved`, why the search ended without a proof (see `best_first`), `refused`, or `error`."""
    proof: str | None
    expansions: int
    states: int
    seconds: float
    model: str | None
    method: dict[str, Any]
    """How was searched; all lines of a file have the same."""
    message: str = ""
    """With `error`, what it was."""
    rounds: int = 0
    """Answers of a model that writes whole proofs."""
    tokens: int = 0
    """Tokens that it wrote."""
    left: int = 0
    """With `partial`: number of goals that are left."""

    @property
    def proved(self) -> bool:
        return self.proof is not None

    def line(self) -> str:
        return json.dumps(attrs.asdict(self), ensure_ascii=False) + "\n"


@attrs.frozen
class Summary:
    """The result of a benchmark, or of the part of it that is done."""

    theorems: int
    """Number of theorems tried."""
    proved: int
    errors: int
    rate: float
    """Share of the theorems tried that were proved."""
    interval: tuple[float, float]
    """95 % confidence interval of the rate (Wilson)."""
    expansions: int
    seconds: float
    """Both summed over the theorems."""
    model: str | None
    method: dict[str, Any]


def method_record(
    plan: Plan, model: str, served: str = "", premises: str = "none", dtype: str = "auto"
) -> dict[str, Any]:
    """What the results say about how was searched.

    Args:
        plan: As given to the prover.
        model: As asked for, `auto` for example.
        served: With a model at a server, the kind of engine and the model's name there.
        premises: Where premises come from, as in the settings.
        dtype: Format of the weights of a model in this process, as in the settings.
    """
    method = plan.method
    record: dict[str, Any] = {"tactics": method.tactics, "expansions": method.expansions, "timeout": method.seconds}
    if plan.strategy != "search":
        record["strategy"] = plan.strategy
    if plan.strategy in ("auto", "write"):
        record |= {"rounds": plan.rounds, "tokens": plan.tokens}
    if method.tactics != "list":
        record |= {"model": model, "samples": method.samples, "temperature": method.temperature, "seed": method.seed}
        if served:
            record["engine"] = served
        elif dtype != "auto":
            record["dtype"] = dtype
        if premises != "none":
            record["premises"] = premises
    return record | {"length_power": method.length_power}


def read_results(out: Path, method: dict[str, Any]) -> dict[str, Result]:
    """What an earlier run has left, by name: the last line of each theorem. A last line without its end is cut off.

    Raises:
        RequestError: A line is no result, or one of a run with another method.
    """
    return read_lines(out, method, Result)


async def run_search(
    theorems: Sequence[Theorem],
    prover: WholeProver,
    plan: Plan,
    record: dict[str, Any],
    out: Path,
    on_result: Callable[[Result, bool], None] = lambda _, __: None,
) -> list[Result]:
    """Try each theorem once; those with a result in `out` are not tried again, unless it is an error.

    Args:
        theorems: What to prove.
        prover: Proves it.
        plan: How.
        record: The same for the results; see `method_record`.
        out: JSONL file for the results, written as they come.
        on_result: Called with each result, and whether it was there already.

    Raises:
        RequestError: `out` belongs to another run.
        LlmstepError: Lean or the model cannot be used at all.
    """
    known = read_results(out, record)
    results: list[Result] = []
    for theorem in theorems:
        result = known.get(theorem.name)
        old = result is not None and result.outcome != "error"
        if result is None or not old:
            result = await _attempt(theorem, prover, plan, record)
            with out.open("a", encoding="utf-8") as file:
                file.write(result.line())
        results.append(result)
        on_result(result, old)
    return results


async def _attempt(theorem: Theorem, prover: WholeProver, plan: Plan, record: dict[str, Any]) -> Result:
    points = find_insertion_points(theorem.text, theorem.position)
    try:
        made = await prover.prove(Task(theorem.uri, theorem.text, points), plan)
    except _OF_THE_THEOREM as error:
        return Result(theorem.name, "error", None, 0, 0, 0.0, None, record, str(error))
    return Result(
        theorem.name,
        made.outcome,
        made.proof,
        made.expansions,
        made.states,
        made.seconds,
        made.model,
        record,
        rounds=made.rounds,
        tokens=made.tokens,
        left=len(made.partial.goals) if made.partial else 0,
    )


def summarise(results: Sequence[Result], record: dict[str, Any]) -> Summary:
    """The success rate, with its confidence interval."""
    proved = sum(result.proved for result in results)
    low, high = wilson(proved, len(results))
    return Summary(
        theorems=len(results),
        proved=proved,
        errors=sum(result.outcome == "error" for result in results),
        rate=round(proved / len(results), 4) if results else 0.0,
        interval=(round(low, 4), round(high, 4)),
        expansions=sum(result.expansions for result in results),
        seconds=round(sum(result.seconds for result in results), 1),
        model=next((result.model for result in results if result.model), None),
        method=record,
    )
