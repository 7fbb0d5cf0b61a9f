"""A proof in its place in a file, while it is still worked at; gaps in it are `sorry`."""

from __future__ import annotations

from typing import Final

import attrs

from llmstep.lean.insertion_points import InsertionPoint
from llmstep.lean.text import offset_at
from llmstep.lean.trial import Trial, gaps_in
from llmstep.proofs.gaps import unindented, with_gaps
from llmstep.search.judge import Judge
from llmstep.search.sorries import Sorry, find_sorries

_MAX_TURNS: Final = 24
"""So often faults are looked for, since Lean shows the first of each block only."""


@attrs.frozen
class Draft:
    """A proof that may have gaps."""

    text: str
    """The file without it; its lines end with `\\n`."""
    point: InsertionPoint
    proof: str

    @classmethod
    def of(cls, judge: Judge, proof: str) -> Draft:
        """A proof at the place of a judge."""
        return cls(judge.text, judge.point, proof)

    @property
    def gaps(self) -> int:
        """Number of its gaps."""
        return len(gaps_in(self.proof))

    @property
    def document(self) -> str:
        """The file with it."""
        return self.point.apply(self.text, self.proof)

    def open_gaps(self) -> list[Sorry]:
        """Its gaps as places of `document`, in their order."""
        start, end = self._span()
        return [each for each in find_sorries(self.document) if start <= each.start < end]

    def filled(self, gap: Sorry, steps: str) -> Draft:
        """The draft with steps in place of one of `open_gaps`."""
        document = self.document
        after = gap.point.apply(document, steps)
        start, end = self._span()
        proof = after[start : end + len(after) - len(document)]
        return attrs.evolve(self, proof=unindented(proof, self.point.indent))

    def _span(self) -> tuple[int, int]:
        """Where the proof begins and ends in `document`."""
        shadow = self.point.shadow_text(self.text, self.proof)
        return offset_at(shadow.text, shadow.start), offset_at(shadow.text, shadow.end)


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


async def judged(judge: Judge, proof: str) -> Judged:
    """Lean's word on a written proof: first on all of it, and where it is refused on its parts.

    Raises:
        LeanError: Lean does not answer.
    """
    reason = "It has gaps." if gaps_in(proof) else await judge.refusal(proof)
    if reason is None:
        return Judged(proof, accepted=True)
    trial = await judge.trial(proof)
    draft = await _drafted(judge, proof, trial)
    if draft is not None and not draft.gaps:  # steps that find no goal are left out
        if draft.proof != proof and await judge.refusal(draft.proof) is None:
            return Judged(draft.proof, accepted=True)
        draft = None  # it is refused for what is no fault of a part
    return Judged(proof, accepted=False, trial=trial, draft=draft, reason=reason)


async def _drafted(judge: Judge, proof: str, trial: Trial) -> Draft | None:
    """The proof with gaps, once Lean has nothing against it; None where that does not come about."""
    seen = {proof}
    for _ in range(_MAX_TURNS):
        if trial.reason:
            return None
        left = len(judge.own(trial.goals or ()))
        if not trial.faults and not left:
            return Draft.of(judge, proof)
        if judge.point.single:
            return None  # the place takes one step: its brackets would have to be distinguished from the proof's
        following = with_gaps(trial, judge.point.indent, left)
        if following is None or following in seen:
            return None
        seen.add(following)
        proof = following
        trial = await judge.trial(proof)
    return None
