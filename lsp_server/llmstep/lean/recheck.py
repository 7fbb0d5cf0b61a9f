"""The second look at a candidate that Lean has accepted: is it one sequence of tactics, and what does it rest on?

The candidate runs once more in brackets, which hold exactly one sequence of tactics: what begins a command, goes on
with the step before or belongs to the declaration does not parse there. Behind the theorem Lean is asked for its
axioms. Where that says nothing about this candidate, since the theorem has another `sorry` or goals are left, Lean
shows the term. A candidate that may mean the theorem itself runs under another name of the theorem.
"""

from __future__ import annotations

import re
from typing import Final

import attrs
from lsprotocol.types import Position

from llmstep.lean.insertion_point import PLACEHOLDER, InsertionPoint, ShadowText
from llmstep.lean.prefilter import hypothesis_names, may_name_itself
from llmstep.lean.shadow import Shadow
from llmstep.lean.step import step_of
from llmstep.lean.text import masked_text
from llmstep.lean.tokens import NAME
from llmstep.lean.verdict import (
    ERROR,
    INFORMATION,
    Baseline,
    Outcome,
    axioms_in,
    first_error,
    place_of,
    warns_of_sorry,
)
from llmstep.types import Check, Verdict

_PRINTED: Final = {
    "true": "explicit fullNames proofs instances deepTerms funBinderTypes letVarTypes",
    "false": "universes notation coercions match structureInstances analyze oneline",
    "1000000": "maxSteps",
}
"""Options (`pp.…`), by their values, under which Lean prints all of a term, whatever the file sets."""
_OPTIONS: Final = [f"set_option pp.{name} {value} in" for value, names in _PRINTED.items() for name in names.split()]
SHOW_TERM: Final = " ".join([*_OPTIONS, "show_term"])
_ELIDED: Final = "⋯"
"""What Lean prints for the rest of a term that is too long."""
_QUOTED: Final = re.compile(r"""«[^»\n]*»|(?<![\w'!?])'(?:[^\\']|\\.[^']*)'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
"""A name in marks, a character or a string in a term."""
_METAVARIABLE: Final = re.compile(r"(?<![\w!'?])\?(?!u\.\d)[\w✝]")
"""A hole in a term, or in what a goal says; that of a universe (`?u.1`) is none."""
_SORRY: Final = re.compile(r"(?<!\w)sorry(?:Ax)?(?![\w'!?])")
_PART: Final = re.compile(r"(?:«[^»\n]*»|[\w.!?'])*\._(?:proof|auxLemma|aux)\w*")
"""A theorem that a tactic (`omega`, `grind`) has made for a part of the term."""
_MAX_PARTS: Final = 16
_COMPILER: Final = re.compile(r"(?:^|\.)(?:_native\b|ofReduceBool$|ofReduceNat$|trustCompiler$)")
_COMPILER_IN_TERM: Final = re.compile(r"\._native\b|\bofReduceBool\b|\bofReduceNat\b|\btrustCompiler\b")
_TOO_MUCH: Final = re.compile(r"\(deterministic\) timeout|maximum recursion depth|maximum number of heartbeats")
_EXAMPLE: Final = re.compile(r"(?<![\w.«])example(?![\w'!?.»])")
_SHOWN_EXAMPLE: Final = "def ζζζ"
"""As long as the word it replaces, so that every place stays."""

_UNSHOWN: Final = Check(Verdict.UNCHECKED, message="Lean does not show whether it uses `sorry`.")
_PART_UNSHOWN: Final = Check(Verdict.UNCHECKED, message="Lean does not show whether a part of it uses `sorry`.")
_SORRY_USED: Final = Check(Verdict.INVALID, message="It uses `sorry`, which proves nothing.")
_COMPILER_USED: Final = Check(Verdict.INVALID, message="It trusts compiled code (`check.allowNativeDecide`).")
_HOLE: Final = Check(Verdict.INVALID, message="It leaves a hole that is no goal, so that nothing can fill it.")


@attrs.frozen
class Case:
    """A candidate in its place."""

    text: str
    """The text that Lean reads, with a name for an example."""
    name: str
    """What Lean can be asked about; empty where there is nothing."""
    point: InsertionPoint
    baseline: Baseline
    candidate: str
    seconds: float
    """Longest time for a look at it."""
    native: bool
    """Whether proofs by compiled code count."""

    @property
    def above(self) -> str:
        """The text up to the candidate."""
        return self.text[: self.point.start]

    @property
    def converts(self) -> bool:
        """It is a step of `conv`."""
        return self.point.placeholder != PLACEHOLDER

    @property
    def bound(self) -> set[str]:
        """The names in the goal."""
        return hypothesis_names(self.baseline.goals[0])

    def document(self, candidate: str | None = None) -> ShadowText:
        """What Lean reads, with the candidate or with other text in its place."""
        return self.point.shadow_text(self.text, self.candidate if candidate is None else candidate)


def question(name: str) -> str:
    """The command that asks Lean what a theorem rests on; empty without a name."""
    return f"#print axioms {name}" if name else ""


def named(text: str, point: InsertionPoint) -> tuple[str, str]:
    """The text with a name for an example, and the name that Lean can be asked about; empty where there is none."""
    declaration = point.declaration
    if declaration.mutual:
        return text, ""
    if declaration.short:
        return text, declaration.short if re.fullmatch(NAME, declaration.short) and not declaration.others else ""
    found = _EXAMPLE.search(masked_text(text)[declaration.start : point.start])
    if found is None:
        return text, ""
    start, end = declaration.start + found.start(), declaration.start + found.end()
    return text[:start] + _SHOWN_EXAMPLE + text[end:], _SHOWN_EXAMPLE.split()[1]


async def recheck(case: Case, accepted: Outcome, shadow: Shadow, *, closes: bool) -> Check | None:
    """What a second look has against a candidate; None where it has nothing.

    Args:
        accepted: Lean's answer to the candidate, which it accepts.
        shadow: The document, ready for the candidate.
        closes: No goal of the candidate's own is left.
    """
    # Where Lean takes the declaration as finished, its axioms show a `sorry`, but not whether a step was of use.
    found, sure = None, False
    if case.converts or (_is_whole(case, accepted) and not case.point.optional):
        outcome = await shadow.run(_bracketed(case, shown=False), case.seconds, question(case.name))
        found = _against(case, outcome, shown=False)
        sure = _is_whole(case, outcome)
    if found is None and not sure:
        outcome = await shadow.run(_bracketed(case, shown=True), case.seconds, question(case.name))
        found = _against(case, outcome, shown=True)
        found = found or await _against_term(case, outcome, shadow, closes=closes)
    if found is None and may_name_itself(case.candidate, case.point):
        renamed = case.point.shadow_text(_with_another_name(case), case.candidate)
        outcome = await shadow.run(renamed, shadow.patience)
        shadow.forget()
        if first_error(case.baseline, outcome):
            name = case.point.declaration.short
            return Check(Verdict.INVALID, message=f"It uses the theorem itself: `{name}`.")
    return found


def _with_another_name(case: Case) -> str:
    """The text with another name of the same length for the theorem."""
    declaration = case.point.declaration
    end = declaration.name_span[1]
    start = end - len(declaration.short.rpartition(".")[2])
    return case.text[:start] + "ζ" * (end - start) + case.text[end:]


def _bracketed(case: Case, *, shown: bool) -> ShadowText:
    """What Lean reads with the candidate in brackets, as one step.

    Args:
        shown: Lean shows the term that it makes. `conv` shows none, but a tactic in it does, for the equation.
    """
    first, last = _brackets(case) if shown else ("(", " )")
    return case.document("\n".join([first, *("  " + line for line in step_of(case.candidate).lines), last]))


def _brackets(case: Case) -> tuple[str, str]:
    return (f"tactic => {SHOW_TERM} (conv => lhs; (", " ))") if case.converts else (f"{SHOW_TERM} (", " )")


def _is_whole(case: Case, outcome: Outcome) -> bool:
    """Whether Lean has nothing against the whole declaration, and would have warned of a `sorry` in it.

    Of one with an error the axioms say little: where the kernel refuses it, Lean takes the theorem itself as an axiom.
    """
    scope = case.text.count("\n", 0, case.point.declaration.start)
    complaints = (
        each.get("severity") == ERROR or warns_of_sorry(each)
        for each in outcome.diagnostics
        if place_of(each).line >= scope
    )
    return case.baseline.warns and case.baseline.axioms is not None and not any(complaints)


def _against(case: Case, outcome: Outcome, *, shown: bool) -> Check | None:
    """What the candidate in brackets has against it: an error, or an axiom."""
    if error := first_error(case.baseline, outcome):
        if _TOO_MUCH.search(error):
            return Check(Verdict.UNCHECKED, message="The second check of it takes too long.")
        if shown and case.converts:  # in brackets it was fine: it works at other goals than the first
            return _UNSHOWN
        return Check(Verdict.INVALID, message=f"It is not one sequence of tactics: {error}")
    axioms, known = axioms_in(outcome), case.baseline.axioms
    if axioms is None and known is not None:
        return Check(Verdict.UNCHECKED, message="Lean does not say which axioms it rests on.")
    new = (axioms or frozenset()) - (known or frozenset())
    compiled = any(_COMPILER.search(each) and _is_own(each, case.point) for each in new)
    return _COMPILER_USED if compiled and not case.native else None


async def _against_term(case: Case, outcome: Outcome, shadow: Shadow, *, closes: bool) -> Check | None:
    """What the term that Lean has shown has against it."""
    printed = _printed(case, outcome)
    if printed is None and case.point.optional:
        return Check(Verdict.INVALID, message="It fails, and another alternative takes its place.")
    term = _QUOTED.sub("_", printed or _ELIDED)
    if _ELIDED in term or (_SORRY.search(term) and _SORRY.search("\n".join(case.baseline.goals))):
        return _UNSHOWN
    if _SORRY.search(term):
        return _SORRY_USED
    if _COMPILER_IN_TERM.search(term) and not case.native:
        return _COMPILER_USED
    if _PART.search(term) and not _is_whole(case, outcome):
        parts = list(dict.fromkeys(_PART.findall(printed or "")))[: _MAX_PARTS + 1]
        if not parts or len(parts) > _MAX_PARTS:
            return _PART_UNSHOWN
        for part in parts:
            if not _holds(case, await shadow.run(outcome.shadow, case.seconds, question(f"_root_.{part}"))):
                return _PART_UNSHOWN
    if closes and _METAVARIABLE.search(term) and not _METAVARIABLE.search(case.baseline.goals[0]):
        # The goal itself may have a hole, in an argument that Lean leaves out of it.
        alone = attrs.evolve(case, candidate=PLACEHOLDER)
        outcome = await shadow.run(_bracketed(alone, shown=True), case.seconds, "")
        if not _METAVARIABLE.search(_QUOTED.sub("_", _printed(alone, outcome) or "")):
            return _HOLE
    return None


def _holds(case: Case, outcome: Outcome) -> bool:
    """Whether Lean says of a part that it uses neither `sorry` nor compiled code that does not count."""
    axioms = axioms_in(outcome)
    if axioms is None or "sorryAx" in axioms:
        return False
    return case.native or not any(_COMPILER.search(each) for each in axioms)


def _is_own(axiom: str, point: InsertionPoint) -> bool:
    """Whether an axiom came with this declaration or is the compiler's; those of other theorems are the text's."""
    theorem, native, _ = axiom.partition("._native")
    full = f".{point.declaration.name or _SHOWN_EXAMPLE.split()[1]}"
    return not native or full.endswith(f".{theorem}") or f".{theorem}".endswith(full)


def _printed(case: Case, outcome: Outcome) -> str | None:
    """What `show_term` printed, behind `<;>` for each goal; None when it printed nothing."""
    start = outcome.shadow.start
    place = Position(start.line, start.character + _brackets(case)[0].index("show_term"))
    terms = [
        each["message"]
        for each in outcome.diagnostics
        if each.get("severity") == INFORMATION and place_of(each) == place
    ]
    return "\n".join(terms) if terms else None
