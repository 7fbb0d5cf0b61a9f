"""One candidate on Lean's answers: run, judged, and looked at a second time where Lean accepts it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import attrs

from llmstep.errors import LeanCrashedError, LeanMemoryError, LeanTimeoutError
from llmstep.lean.insertion_point import PLACEHOLDER, InsertionPoint, ShadowText
from llmstep.lean.names import is_misnamed
from llmstep.lean.prefilter import may_name_itself
from llmstep.lean.recheck import (
    HOLE,
    PART_UNSHOWN,
    Case,
    bracketed,
    doubt,
    is_whole,
    part_holds,
    parts_of,
    question,
    shows_hole,
    with_another_name,
)
from llmstep.lean.verdict import Baseline, Outcome, axioms_in, first_error, judge
from llmstep.types import Check, Verdict

if TYPE_CHECKING:
    from llmstep.lean.shadow import Shadow


class Judging:
    """Judges candidates in a shadow document. Calls must not overlap.

    Args:
        shadow: The document.
        settle: Has Lean elaborate a text, with the name to ask about, up to an insertion point.
    """

    def __init__(self, shadow: Shadow, settle: Callable[[str, str, InsertionPoint], Awaitable[Baseline]]) -> None:
        self.shadow = shadow
        self._settle = settle

    async def make_ready(self, case: Case) -> None:
        """Has Lean elaborate what stands above a candidate, where it has not."""
        if not self.shadow.is_ready(case.above):
            await self._settle(case.text, case.name, case.point)

    async def verdict(self, case: Case) -> Check:
        """The verdict; a crash of Lean is tried again once, since something else may have been its cause."""
        for last in (False, True):
            try:
                await self.make_ready(case)
                return await self._judge(case)
            except LeanCrashedError:
                if last:
                    return Check(Verdict.UNCHECKED, message="Lean crashed on it.")
            except LeanMemoryError as error:
                return Check(Verdict.UNCHECKED, message=error.message)
            except TooLongError:
                return Check(Verdict.UNCHECKED, message=f"no answer within {case.seconds:g} s")
        raise AssertionError

    async def _judge(self, case: Case) -> Check:
        outcome = await self.run(case.shadow(), case.seconds)
        if outcome.goals is None:
            goals = await self.shadow.goals_at(outcome.shadow.end, case.seconds)
            outcome = attrs.evolve(outcome, goals=goals)
        check = judge(case.point, case.baseline, outcome)
        accepted = check.verdict.accepted
        check = attrs.evolve(check, misnamed=is_misnamed(outcome, case.candidate, accepted=accepted))
        if accepted:
            return await self._recheck(case, outcome, closes=check.verdict is Verdict.CLOSES) or check
        return check

    async def _recheck(self, case: Case, accepted: Outcome, *, closes: bool) -> Check | None:
        """A second look, at what text does not show: what was parsed, and what it rests on."""
        # Where Lean takes the declaration as finished, its axioms show a `sorry`, but not whether a step was of use.
        first = case.converts or (is_whole(case, accepted) and not case.point.optional)
        for shown in (False, True) if first else (True,):
            outcome = await self.run(case.shadow(bracketed(case, shown=shown)), case.seconds, question(case.name))
            found = doubt(case, outcome, shown=shown, closes=closes)
            if found and found.message == PART_UNSHOWN and await self._parts_hold(case, outcome):
                found = doubt(case, outcome, shown=shown, closes=closes, parts=True)
            if found and not (found.message == HOLE and await self._faces_hole(case)):
                return found
            if "sorryAx" not in (axioms_in(outcome) or ()):
                break  # else it comes from a theorem above, or from the candidate
        if may_name_itself(case.candidate, case.point):
            shadow = case.point.shadow_text(with_another_name(case.text, case.point), case.candidate)
            renamed = await self.shadow.run(shadow, self.shadow.patience)
            self.shadow.forget()
            if first_error(case.baseline, renamed):
                name = case.point.declaration.short
                return Check(Verdict.INVALID, message=f"It uses the theorem itself: `{name}`.")
        return None

    async def _parts_hold(self, case: Case, outcome: Outcome) -> bool:
        """Whether Lean knows the parts of the term by name, and each holds."""
        names = parts_of(case, outcome)
        for name in names:
            if not part_holds(case, await self.run(outcome.shadow, case.seconds, question(f"_root_.{name}"))):
                return False
        return bool(names)

    async def _faces_hole(self, case: Case) -> bool:
        """Whether the goal itself has a hole, in an argument that Lean leaves out of it."""
        case = attrs.evolve(case, candidate=PLACEHOLDER)
        return shows_hole(case, await self.run(case.shadow(bracketed(case, shown=True)), case.seconds, ""))

    async def run(self, shadow: ShadowText, seconds: float, asked: str | None = None) -> Outcome:
        """What Lean answers about a candidate; see `Shadow.run`.

        Raises:
            TooLongError: It takes longer than so many seconds.
        """
        try:
            return await self.shadow.run(shadow, seconds, asked)
        except LeanTimeoutError as error:
            raise TooLongError from error


class TooLongError(Exception):
    """A candidate, not what stands above it, took too long."""
