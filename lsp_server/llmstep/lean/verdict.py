"""From what Lean answered about a candidate to a verdict. Pure: no server, no clock."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Sequence
from typing import Any, Final

import attrs
from lsprotocol.types import Position

from llmstep.lean.insertion_point import InsertionPoint, ShadowText
from llmstep.types import Check, Verdict

Diagnostic = dict[str, Any]
"""As Lean sent it."""
Signature = tuple[bool, int, int, str]
"""Whether an error stands behind the candidate, its line and character, and its first line."""

ERROR: Final = 1
WARNING: Final = 2
INFORMATION: Final = 3
UNSOLVED: Final = 1
"""Tag of an error of unsolved goals."""

MESSAGE_LENGTH: Final = 240
"""Most characters of why a candidate was refused."""

_METAVARIABLE: Final = re.compile(r"\?[\w.✝]+|✝[⁰¹²³⁴⁵⁶⁷⁸⁹]*")
_AXIOMS: Final = re.compile(r"depends on axioms: \[([^\]]*)\]|does not depend on any axioms")


@attrs.frozen
class Outcome:
    """What Lean answered about one version of a shadow document."""

    shadow: ShadowText
    diagnostics: Sequence[Diagnostic]
    goals: tuple[str, ...] | None
    """At the probe; None where Lean gave none."""
    asked: int | None = None
    """The line of the command that was put behind the candidate to ask Lean something."""

    def errors(self) -> list[tuple[Position, Diagnostic]]:
        """Errors in the order of their places."""
        found = [(place_of(each), each) for each in self.diagnostics if each.get("severity") == ERROR]
        return sorted(found, key=lambda pair: pair[0])

    def informations(self) -> list[str]:
        """The texts of the informations that stand at the candidate."""
        return [
            str(each["message"])
            for each in self.diagnostics
            if each.get("severity") == INFORMATION and self.shadow.start <= place_of(each) <= self.shadow.end
        ]

    def signature(self, place: Position, diagnostic: Diagnostic) -> Signature:
        """An error without what depends on the candidate; places behind it count from the probe."""
        line, character, probe = place.line, place.character, self.shadow.probe
        behind = place >= self.shadow.end
        if behind:
            line -= probe.line
            character = 0 if place <= probe else character
        return behind, line, character, _METAVARIABLE.sub("?", str(diagnostic["message"]).partition("\n")[0])


@attrs.frozen
class Baseline:
    """What Lean says with the placeholder in the candidate's place."""

    goals: tuple[str, ...]
    """Those that a candidate faces, main first."""
    behind: tuple[str, ...]
    """Those that are left once the main goal is closed."""
    errors: frozenset[Signature]
    """Signatures of the errors that are no candidate's fault."""
    axioms: frozenset[str] | None = None
    """What the theorem rests on with the placeholder; None where Lean cannot be asked for that."""
    warns: bool = False
    """Lean warns of the placeholder, so that a candidate without a warning holds no `sorry`."""
    unkept: bool = False
    """Lean's kernel checks nothing, by an option of the project or of the file."""


def judge(point: InsertionPoint, baseline: Baseline, outcome: Outcome) -> Check:
    """The verdict on a candidate by its errors and by the goals before and behind it.

    `sorry` inside of what its tactics made is not looked for here.
    """
    if error := first_error(baseline, outcome):
        return Check(Verdict.INVALID, message=error)
    if outcome.goals is None:
        return Check(Verdict.UNCHECKED, message="Lean gave no goals behind it.")
    behind = baseline.behind if point.distributed else baseline.goals[1:]
    unchanged = [*baseline.goals, *(behind if point.distributed else ())]
    if sorted(map(_plain, outcome.goals)) == sorted(map(_plain, unchanged)):
        return Check(Verdict.INVALID, message="It leaves the goals as they were.")
    if _are_left(outcome.goals, baseline.goals if point.optional else behind):
        return Check(Verdict.CLOSES, goals=() if point.optional else outcome.goals)
    return Check(Verdict.PROGRESS, goals=outcome.goals)


def first_error(baseline: Baseline, outcome: Outcome) -> str | None:
    """The first error that is the candidate's: one inside of it before one elsewhere."""
    elsewhere: str | None = None
    for place, error in outcome.errors():
        inside = place >= outcome.shadow.start
        if is_unsolved(error) and (not inside or place >= outcome.shadow.end):
            continue  # a step may leave goals
        if outcome.signature(place, error) not in baseline.errors:
            if inside:
                return one_line(error)
            elsewhere = elsewhere or one_line(error)
    return elsewhere


def baseline_of(outcome: Outcome, goals: tuple[str, ...], scope: int) -> Baseline:
    """The baseline from the answers about the placeholder; `goals` are those at its first character.

    Args:
        scope: The line on which the declaration begins.
    """
    errors = outcome.errors()
    warns = any(warns_of_sorry(each) and place_of(each).line >= scope for each in outcome.diagnostics)
    last = outcome.shadow.text.count("\n") if outcome.asked is None else outcome.asked
    unkept = outcome.shadow.whole and not any(place.line > last for place, _ in errors)
    signatures = frozenset(outcome.signature(*error) for error in errors)
    return Baseline(goals, outcome.goals or (), signatures, axioms_in(outcome), warns, unkept)


def warns_of_sorry(diagnostic: Diagnostic) -> bool:
    return diagnostic.get("severity") == WARNING and "sorry" in diagnostic["message"]


def is_unsolved(diagnostic: Diagnostic) -> bool:
    return UNSOLVED in diagnostic.get("leanTags", ()) or diagnostic["message"].startswith("unsolved goals")


def axioms_in(outcome: Outcome) -> frozenset[str] | None:
    """The axioms of Lean's answer to `#print axioms`; None when it gave none."""
    for each in outcome.diagnostics:
        if each.get("severity") == INFORMATION and place_of(each).line == outcome.asked:
            found = _AXIOMS.search(each["message"])
            if found:
                return frozenset(name.strip() for name in (found.group(1) or "").split(",") if name.strip())
    return None


def one_line(diagnostic: Diagnostic) -> str:
    """A message on one line, up to the goals it may show, and not too long; of unsolved goals the target."""
    lines = str(diagnostic["message"]).strip().splitlines() or [""]
    if lines[0].startswith("fail to show termination"):
        return "It uses the theorem itself, and Lean fails to show termination."
    if is_unsolved(diagnostic):
        return " ".join([lines[0], *(line for line in lines if line.startswith("⊢"))][:2])
    said = [line.strip() for line in itertools.takewhile(lambda line: line.strip() and "⊢" not in line, lines)]
    return textwrap.shorten(" ".join(said or lines[:1]), MESSAGE_LENGTH, placeholder=" …")


def _are_left(after: Sequence[str], behind: Sequence[str]) -> bool:
    """Every goal of `after` is one of `behind`, in the same order, perhaps with its metavariables filled."""
    rest = iter(behind)
    return all(any(_pattern(old).fullmatch(new) for old in rest) for new in after)


def _pattern(goal: str) -> re.Pattern[str]:
    parts = re.split(r"\?[\w.✝]+", goal)
    return re.compile(r"[\s\S]+?".join(re.escape(part) for part in parts))


def _plain(goal: str) -> str:
    """A goal without the numbers of unnamed metavariables, which differ between runs."""
    return re.sub(r"\?(m|u)\.\d+", r"?\1", goal)


def place_of(diagnostic: Diagnostic) -> Position:
    """Where a message begins."""
    return Position(**diagnostic["range"]["start"])
