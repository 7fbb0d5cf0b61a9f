"""What Lean says about a proof with gaps, place by place: what a second attempt at it, or a person, has to know."""

from __future__ import annotations

import re
from typing import Final

import attrs
from lsprotocol.types import Position

from llmstep.lean.text import mask, offset_at
from llmstep.lean.verdict import Baseline, Diagnostic, Outcome, is_unsolved

GAP: Final = re.compile(r"(?<![\w.'!?«])sorry(?![\w'!?»])")
"""A `sorry` in masked text."""
_STAND_IN: Final = "rfl"
"""A harmless word that may stand wherever `sorry` may, as a step or as a term."""


@attrs.frozen
class Fault:
    """An error in a proof. Offsets are into the document of its trial."""

    start: int
    end: int
    message: str
    unsolved: int = 0
    """Of an error of unsolved goals: their number."""


@attrs.frozen
class Trial:
    """Lean's answer about one proof in its place."""

    document: str = ""
    """What Lean has read: the file up to the place, and the proof."""
    start: int = 0
    """Offset of the proof in it."""
    end: int = 0
    faults: tuple[Fault, ...] = ()
    """In the order of their places."""
    goals: tuple[str, ...] | None = None
    """Those behind the proof; None where Lean gave none."""
    reason: str = ""
    """Why Lean was not asked, or did not answer; then nothing else is known."""

    @classmethod
    def refused(cls, reason: str) -> Trial:
        return cls(reason=reason)

    @classmethod
    def of(cls, baseline: Baseline, outcome: Outcome) -> Trial:
        """The errors that are not there with `sorry` alone in the proof's place.

        One that Lean reports outside of the proof, at its theorem for example, stands at the proof's first character.
        """
        document = outcome.shadow.text
        start, end = (offset_at(document, place) for place in (outcome.shadow.start, outcome.shadow.end))
        behind = (outcome.shadow.end.line, outcome.shadow.end.character)
        faults: list[Fault] = []
        for place, error in outcome.errors():
            unsolved = is_unsolved(error)
            outside = place >= behind or place < outcome.start
            if (unsolved and outside) or outcome.signature(place, error) in baseline.errors:
                continue  # a proof may leave goals, which are counted apart
            first, last = _extent(document, error)
            if place < outcome.start:
                first = last = start
            message = str(error["message"]).strip()
            count = max(1, len(re.findall(r"^⊢", message, re.MULTILINE))) if unsolved else 0
            faults.append(Fault(min(first, end), min(max(first, last), end), message, count))
        return cls(document, start, end, tuple(faults), outcome.goals)


def gapless(proof: str) -> str:
    """A proof with a harmless word for each `sorry`, for those who look for other words."""
    return replaced_gaps(proof, _STAND_IN)


def replaced_gaps(proof: str, word: str) -> str:
    """A proof with a word for each `sorry` outside of comments and strings."""
    parts: list[str] = []
    done = 0
    for start, end in gaps_in(proof):
        parts += [proof[done:start], word]
        done = end
    return "".join(parts) + proof[done:]


def gaps_in(proof: str) -> list[tuple[int, int]]:
    """The extents of each `sorry` outside of comments and strings."""
    return [match.span() for match in GAP.finditer(mask(proof))]


def _extent(document: str, error: Diagnostic) -> tuple[int, int]:
    extent = error.get("fullRange") or error["range"]
    start, end = (Position(extent[side]["line"], extent[side]["character"]) for side in ("start", "end"))
    return offset_at(document, start), offset_at(document, end)
