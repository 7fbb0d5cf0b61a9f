"""Fills the gaps of a draft: Lean's own tactics first, then the search over steps."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import attrs

from llmstep.errors import LeanTimeoutError, NoGoalError
from llmstep.search.attempt import Task
from llmstep.types import Check, Verdict

if TYPE_CHECKING:
    from llmstep.progress import Progress
    from llmstep.proofs.draft import Draft
    from llmstep.proofs.work import Work
    from llmstep.search.sorries import Sorry

_SHARE: Final = 0.25
"""Of the time that is left: what Lean's own tactics get."""
MAX_GAPS: Final = 8
"""A draft with more of them is no proof yet, and none is looked at."""


async def by_tactics(work: Work, draft: Draft) -> Draft:
    """The draft with those gaps filled that one of Lean's own tactics closes. A goal is tried once.

    No further gap is begun after a quarter of the time that is left: the model may do better.
    """
    settings = work.engine.settings
    if settings.automation == "off":
        return draft
    lean, uri = work.judge.lean, work.judge.uri

    async def fill(document: str, gap: Sorry, place: str) -> str | None:
        async def check(text: str) -> Check:
            return (await lean.check(uri, document, gap.point, [text]))[0]

        async def search(tactic: str) -> list[str]:
            return await lean.proposals(uri, document, gap.point, tactic)

        goal = await lean.goal(uri, document, gap.point)
        if goal.text in work.hopeless:
            return None
        work.say(f"Trying Lean's own tactics at {place}")
        async for found in work.automation.suggestions(uri, goal, check, search, tactics=settings.automation_tactics):
            if found.check.verdict is Verdict.CLOSES:
                return found.text
        work.hopeless.add(goal.text)
        return None

    return await _each(draft, fill, until=work.deadline - work.left * (1 - _SHARE))


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
    """
    maximum = work.plan.expansions
    if expansions is not None:
        maximum = min(maximum, work.expansions + expansions)

    async def fill(document: str, gap: Sorry, place: str) -> str | None:
        def progress(update: Progress) -> None:
            work.progress(attrs.evolve(update, message=f"Filling {place}: {update.message}"))

        if work.expansions >= maximum:
            return None
        plan = attrs.evolve(work.plan, expansions=maximum - work.expansions, seconds=max(0.1, work.left), patience=0)
        found = await work.steps().prove(Task(work.judge.uri, document, [gap.point]), plan, progress)
        work.expansions += found.expansions
        work.states += found.states
        work.model = work.model or found.model
        return found.proof

    return await _each(draft, fill, keep, last_first=last_first, until=work.deadline)


async def goals_of(work: Work, draft: Draft) -> tuple[str, ...]:
    """The goals at the gaps of a draft; the empty text where Lean gives none."""
    goals: list[str] = []
    document = draft.document
    for gap in draft.open_gaps():
        try:
            goals.append((await work.judge.lean.goal(work.judge.uri, document, gap.point)).text)
        except (NoGoalError, LeanTimeoutError):
            goals.append("")
    return tuple(goals)


async def _each(
    draft: Draft,
    fill: Callable[[str, Sorry, str], Awaitable[str | None]],
    keep: Callable[[Draft], None] = lambda _: None,
    *,
    last_first: bool = False,
    until: float,
) -> Draft:
    """The draft after one try at each gap.

    Args:
        fill: Gives steps for a gap of a document; the text says which gap it is.
        until: No try is begun later, in seconds of `time.monotonic`.
    """
    tried = 0
    total = draft.gaps
    if total > MAX_GAPS:
        return draft
    while time.monotonic() < until and tried < len(gaps := draft.open_gaps()):
        gap = gaps[-1 if last_first else tried]
        try:
            steps = await fill(draft.document, gap, f"gap {total - len(gaps) + tried + 1} of {total}")
        except (NoGoalError, LeanTimeoutError):
            steps = None
        if steps is not None:
            draft = draft.filled(gap, steps)
            keep(draft)
        elif last_first:
            break
        else:
            tried += 1
    return draft
