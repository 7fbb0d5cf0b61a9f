"""Lean's word on written proofs at one place: accepted as a whole, or made into drafts with gaps for their faults."""

from __future__ import annotations

from typing import Final

import attrs

from llmstep.lean.trial import Trial, gaps_in
from llmstep.proofs.draft import Draft
from llmstep.proofs.gaps import with_gaps
from llmstep.search.judge import Judge
from llmstep.search.script import own_goals
from llmstep.types import Verdict

SECONDS: Final = 60.0
"""Longest time that Lean gets for a written proof."""
_MAX_TURNS: Final = 24
"""So often faults are looked for, since Lean shows the first of each block only."""


@attrs.frozen
class Judged:
    """A proof, and what Lean says about it."""

    proof: str
    accepted: bool
    trial: Trial | None = None
    """None where it is accepted."""
    draft: Draft | None = None
    """The proof with gaps where it is wrong; None where nothing can be made of it."""
    reason: str = ""
    """Why it is not accepted although it has no faults."""


class WrittenJudge(Judge):
    """Judges proofs as a model writes them. The lines of the file's text end with `\\n`."""

    def draft(self, proof: str) -> Draft:
        return Draft(self.text, self.point, proof)

    async def refusal(self, proof: str) -> str | None:
        """Why a proof does not count; None where Lean takes it, here and in the whole file.

        Raises:
            LeanError: Lean does not answer.
        """
        [check] = await self.lean.check(self.uri, self.text, self.point, [proof], seconds=SECONDS)
        closed = check.verdict is Verdict.CLOSES or (check.verdict is Verdict.PROGRESS and check.goals == ())
        if self.finish:
            closed = closed and not check.goals
        if not closed:
            return check.message or "It leaves goals."
        if not await self.accepts((proof,)):
            return "Lean reports an error in the whole file."
        return None

    async def judged(self, proof: str) -> Judged:
        """Lean's word on a proof: first on all of it, and where it is refused on its parts.

        Raises:
            LeanError: Lean does not answer.
        """
        reason: str | None = "It has gaps."
        if not gaps_in(proof):
            reason = await self.refusal(proof)
            if reason is None:
                return Judged(proof, accepted=True)
        trial = await self.trial(proof)
        draft = None if trial.reason else await self._drafted(proof, trial)
        if draft is not None and not draft.gaps:  # steps that find no goal are left out
            if draft.proof != proof and await self.refusal(draft.proof) is None:
                return Judged(draft.proof, accepted=True)
            draft = None  # it is refused for what is no fault of a part
        return Judged(proof, accepted=False, trial=trial, draft=draft, reason=reason or "")

    async def trial(self, proof: str) -> Trial:
        return await self.lean.trial(self.uri, self.text, self.point, proof, SECONDS)

    def unproved(self, trial: Trial) -> tuple[str, ...]:
        """The goals that the proof of a trial had to close and did not."""
        goals = trial.goals or ()
        return goals if self.finish else own_goals(goals, self.goal)

    async def _drafted(self, proof: str, trial: Trial) -> Draft | None:
        """The proof with gaps, once Lean has nothing against it; None where that does not come about."""
        seen = {proof}
        for _ in range(_MAX_TURNS):
            if trial.reason:
                return None
            if not trial.faults and not self.unproved(trial):
                return self.draft(proof)
            if self.point.single:
                return None  # the place takes one step: its brackets would have to be distinguished from the proof's
            following = with_gaps(trial, self.point.indent, len(self.unproved(trial)))
            if following is None or following in seen:
                return None
            seen.add(following)
            proof = following
            trial = await self.trial(proof)
        return None
