"""The use cases "prove" and "fill": a whole proof of a goal, or of each `sorry` of a file."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from llmstep.aside import aside
from llmstep.lean.insertion_points import InsertionPoint
from llmstep.memory import Document, Edit, SuggestionSet
from llmstep.progress import ProgressSink
from llmstep.proofs.prover import WholeProver
from llmstep.search import sorries
from llmstep.search.attempt import Attempt, Plan, Task
from llmstep.search.sorries import Filled
from llmstep.types import Candidate, Check, Suggestion, Verdict
from llmstep.use_cases.parts import Parts


async def prove(
    parts: Parts, document: Document, points: Sequence[InsertionPoint], plan: Plan, progress: ProgressSink
) -> Attempt:
    """Look for a proof at the first of the insertion points at which Lean has a goal; see `WholeProver.prove`."""
    return await prover_of(parts).prove(Task(document.uri, document.text, points), plan, progress)


async def fill(parts: Parts, document: Document, plan: Plan, progress: ProgressSink) -> list[Filled]:
    """Look for a proof of each `sorry` of a document; see `sorries.fill`."""
    prover = prover_of(parts)

    def each(task: Task, tell: ProgressSink) -> Awaitable[Attempt]:
        return prover.prove(task, plan, tell)

    return await sorries.fill(document.uri, document.text, each, parts.lean, plan.expansions, progress)


def prover_of(parts: Parts) -> WholeProver:
    """A prover that works with these parts."""
    return WholeProver(parts.engine, parts.lean, parts.premises, parts.automation)


async def remember(parts: Parts, document: Document, now: Document | None, found: Attempt) -> bool:
    """Keep a proof, or a part of one, as a suggestion of its goal, unless the goal has changed since.

    Args:
        document: The text that was asked about.
        now: The text of today; None where it was closed.

    Returns:
        Whether it was kept.
    """
    key = await aside(found.point.key, document.text)
    text = found.proof or (found.partial.proof if found.partial else None)
    if text is None or now is None or not Edit.between(document.text, now.text).leaves(found.point):
        return False
    known = parts.memory.find(document.uri, key) or SuggestionSet(
        uri=document.uri,
        version=document.version,
        point=found.point,
        key=key,
        goal=found.goal,
        prefix="",
        model=found.model or "",
        elapsed_ms=round(found.seconds * 1000, 1),
    )
    check = Check(Verdict.PROGRESS, found.partial.goals) if found.partial else Check(Verdict.CLOSES)
    proof = Suggestion(Candidate(text, score=0.0), check)
    others = [each for each in (*known.suggestions, *known.rejected) if each.text != text]
    parts.memory.remember(known.judged([proof, *others]))
    return True
