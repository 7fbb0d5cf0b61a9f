"""Fills the gaps of a draft: Lean's own tactics first, then the search over steps."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs

from llmstep.errors import LeanTimeoutError, NoGoalError
from llmstep.search.interface import Task
from llmstep.types import Check, Verdict

if TYPE_CHECKING:
    from llmstep.progress import Progress
    from llmstep.proofs.draft import Draft
    from llmstep.proofs.plan import Work
    from llmstep.search.sorries import Sorry

_SHARE: Final = 0.25
"""Of the time that is left: what Lean's own tactics get."""
MAX_GAPS: Final = 8
"""A draft with more of them is no proof yet, and none is looked at."""


async def by_tactics(work: Work, draft: Draft) -> Draft:
    """The draft with those gaps filled that one of Lean's own tactics closes. A goal is tried once.

    No further gap is begun after a quarter of the time that is left: the model may do better.

    Raises:
        LeanError: Lean cannot be started.
    """
    return await _each(work, draft, _tactic, until=work.deadline - work.left * (1 - _SHARE))


async def by_search(
    work: Work,
    draft: Draft,
    keep: Callable[[Draft], None] = lambda _: None,
    *,
    last_first: bool = False,
    expansions: int | None = None,
) -> Draft:
    """The draft with those gaps filled that the search over steps closes, within what is left of the budget.

    Args:
        keep: Called with the draft after each.
        last_first: Begin with the last gap, and go on only while each is closed.
        expansions: Most for all gaps together; None leaves it to the plan.

    Raises:
        ModelError: The model of the steps cannot be loaded or run.
        LeanError: Lean cannot be started.
    """
    max_expansions = work.plan.method.expansions
    if expansions is not None:
        max_expansions = min(max_expansions, work.counts.expansions + expansions)
    return await _each(work, draft, partial(_search, max_expansions=max_expansions), keep, last_first=last_first)


async def goals_of(work: Work, draft: Draft) -> tuple[str, ...]:
    """The goals at the gaps of a draft."""
    goals: list[str] = []
    document = draft.document
    for gap in draft.open_gaps():
        try:
            goals.append((await work.judge.lean.goal(work.judge.uri, document, gap.point)).text)
        except (NoGoalError, LeanTimeoutError):
            goals.append("")
    return tuple(goals)


Filler = Callable[["Work", str, "Sorry", str], Awaitable["str | None"]]
"""Gives steps for a gap of a document; the text says which gap it is."""


async def _each(
    work: Work,
    draft: Draft,
    fill: Filler,
    keep: Callable[[Draft], None] = lambda _: None,
    *,
    last_first: bool = False,
    until: float | None = None,
) -> Draft:
    """The draft after one try at each gap.

    Args:
        until: No try is begun later, in seconds of `time.monotonic`.
    """
    tried = 0
    total = draft.gaps
    if total > MAX_GAPS:
        return draft
    until = work.deadline if until is None else until
    while time.monotonic() < until and tried < len(gaps := draft.open_gaps()):
        index = len(gaps) - 1 if last_first else tried
        gap = gaps[index]
        steps = await fill(work, draft.document, gap, f"gap {total - len(gaps) + tried + 1} of {total}")
        if steps is None and last_first:
            break
        if steps is None:
            tried += 1
            continue
        draft = draft.filled(gap, steps)
        keep(draft)
    return draft


async def _tactic(work: Work, document: str, gap: Sorry, place: str) -> str | None:
    settings = work.engine.settings
    if settings.automation == "off":
        return None
    judge = work.judge
    lean, uri = judge.lean, judge.uri
    try:
        goal = await lean.goal(uri, document, gap.point)
        if goal.text in work.hopeless:
            return None
        work.say(f"Trying Lean's own tactics at {place}")

        async def check(text: str) -> Check:
            return (await lean.check(uri, document, gap.point, [text]))[0]

        async def search(tactic: str) -> list[str]:
            return await lean.proposals(uri, document, gap.point, tactic)

        async for found in work.automation.suggestions(uri, goal, check, search, tactics=settings.automation_tactics):
            if found.check.verdict is Verdict.CLOSES:
                return found.text
    except (NoGoalError, LeanTimeoutError):
        return None
    work.hopeless.add(goal.text)
    return None


async def _search(work: Work, document: str, gap: Sorry, place: str, *, max_expansions: int) -> str | None:
    """A proof of the goal at a gap; a later gap has what the ones before have left of `max_expansions`."""
    method = work.plan.method
    expansions = max_expansions - work.counts.expansions
    if expansions <= 0:
        return None
    prover = work.steps()

    def progress(update: Progress) -> None:
        work.progress(attrs.evolve(update, message=f"Filling {place}: {update.message}"))

    limits = attrs.evolve(method, expansions=expansions, seconds=max(0.1, work.left), patience=0)
    try:
        found = await prover.prove(Task(work.judge.uri, document, [gap.point]), limits, progress)
    except (NoGoalError, LeanTimeoutError):
        return None
    work.counts.expansions += found.expansions
    work.counts.states += found.states
    work.counts.model = work.counts.model or found.model
    return found.proof
