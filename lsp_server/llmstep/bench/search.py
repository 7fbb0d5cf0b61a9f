"""The benchmark of whole proofs: one attempt a theorem, by any strategy, results kept so that a run can go on.

The protocol of the search is that of Welleck & Saha (arXiv:2310.18457): 100 expansions, 32 candidates an expansion and
600 seconds a theorem, the sum of log-probabilities as the score, an end at the first proof. Candidates are sampled
here and come from beam search there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.bench.results import Line, run
from llmstep.bench.statistics import Share
from llmstep.lean.insertion_points import find_insertion_points
from llmstep.search.attempt import Plan, Task

if TYPE_CHECKING:
    from llmstep.bench.theorems import Theorem
    from llmstep.proofs.prover import WholeProver


@attrs.frozen(kw_only=True)
class Result(Line):
    """What came of one theorem.

    Its outcome is `proved`, why the search ended without a proof (see `best_first`), `refused`, or `error`.
    """

    proof: str | None = None
    expansions: int = 0
    states: int = 0
    rounds: int = 0
    """Answers of a model that writes whole proofs."""
    tokens: int = 0
    """Tokens that it wrote."""
    left: int = 0
    """With `partial`: number of goals that are left."""

    @property
    def proved(self) -> bool:
        return self.proof is not None


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

    def text(self) -> str:
        """For reading."""
        errors = f", {self.errors} errors" if self.errors else ""
        return (
            f"{self.proved} of {self.theorems} proved: {Share(self.rate, self.interval)}{errors};"
            f" {self.expansions} expansions, {self.seconds:.0f} s"
        )


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
    record: dict[str, Any] = {"tactics": plan.tactics, "expansions": plan.expansions, "timeout": plan.seconds}
    if plan.strategy != "search":
        record["strategy"] = plan.strategy
    if plan.strategy in ("auto", "write"):
        record |= {"rounds": plan.rounds, "tokens": plan.tokens}
    if plan.tactics != "list":
        drawn = plan.sampling
        record |= {"model": model, "samples": drawn.count, "temperature": drawn.temperature, "seed": drawn.seed}
        if served:
            record["engine"] = served
        elif dtype != "auto":
            record["dtype"] = dtype
        if premises != "none":
            record["premises"] = premises
    return record | {"length_power": plan.length_power}


async def run_search(
    theorems: Sequence[Theorem],
    prover: WholeProver,
    plan: Plan,
    record: dict[str, Any],
    out: Path,
    on_result: Callable[[Result, bool], None] = lambda _, __: None,
) -> list[Result]:
    """Try to prove each theorem once, by a plan; see `results.run`."""

    async def attempt(theorem: Theorem) -> Result:
        points = find_insertion_points(theorem.text, theorem.position)
        made = await prover.prove(Task(theorem.uri, theorem.text, points), plan)
        return Result(
            theorem.name,
            made.outcome,
            method=record,
            proof=made.proof,
            expansions=made.expansions,
            states=made.states,
            seconds=made.seconds,
            model=made.model,
            rounds=made.rounds,
            tokens=made.tokens,
            left=len(made.partial.goals) if made.partial else 0,
        )

    return await run(Result, theorems, attempt, record, out, on_result)


def summarise(results: Sequence[Result]) -> Summary:
    """The success rate, with its confidence interval."""
    proved = sum(result.proved for result in results)
    rate = Share.of(proved, len(results))
    return Summary(
        theorems=len(results),
        proved=proved,
        errors=sum(result.outcome == "error" for result in results),
        rate=rate.share,
        interval=rate.interval,
        expansions=sum(result.expansions for result in results),
        seconds=round(sum(result.seconds for result in results), 1),
        model=next((result.model for result in results if result.model), None),
        method=results[0].method if results else {},
    )
