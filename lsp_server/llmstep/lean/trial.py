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
    def of(cls, baseline: Baseline, outcome: Outcome) -> Trial:
        """The errors that are not there with `sorry` alone in the proof's place.

        One that Lean reports outside of the proof, at its theorem for example, stands at the proof's first character.
        """
        shadow, document = outcome.shadow, outcome.shadow.text
        start, end = offset_at(document, shadow.start), offset_at(document, shadow.end)
        faults: list[Fault] = []
        for place, error in outcome.errors():
            unsolved = is_unsolved(error)
            outside = place >= shadow.end or place < shadow.start
            if (unsolved and outside) or outcome.signature(place, error) in baseline.errors:
                continue  # a proof may leave goals, which are counted apart
            first, last = (start, start) if place < shadow.start else _extent(document, error)
            message = str(error["message"]).strip()
            count = max(1, len(re.findall(r"^⊢", message, re.MULTILINE))) if unsolved else 0
            faults.append(Fault(min(first, end), min(max(first, last), end), message, count))
        return cls(document, start, end, tuple(faults), outcome.goals)


def gapless(proof: str) -> str:
    """A proof with a harmless word for each `sorry`, for those who look for other words."""
    for start, end in reversed(gaps_in(proof)):
        proof = proof[:start] + _STAND_IN + proof[end:]
    return proof


def gaps_in(proof: str) -> list[tuple[int, int]]:
    """The extents of each `sorry` outside of comments and strings."""
    return [match.span() for match in GAP.finditer(mask(proof))]


def _extent(document: str, error: Diagnostic) -> tuple[int, int]:
    extent = error.get("fullRange") or error["range"]
    return offset_at(document, Position(**extent["start"])), offset_at(document, Position(**extent["end"]))
