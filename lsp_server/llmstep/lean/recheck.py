"""The second look at a candidate that Lean has accepted: is it one sequence of tactics, and what does it rest on?

The candidate runs once more in brackets, which hold exactly one sequence of tactics: what begins a command, goes on
with the step before or belongs to the declaration does not parse there. Behind the theorem Lean is asked for its
axioms. Where that says nothing about this candidate, since the theorem has another `sorry` or goals are left, Lean
shows the term.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from llmstep.lean.insertion_point import PLACEHOLDER, InsertionPoint, ShadowText
from llmstep.lean.prefilter import hypothesis_names
from llmstep.lean.step import step_of
from llmstep.lean.text import masked_text
from llmstep.lean.tokens import NAME
from llmstep.lean.verdict import ERROR, INFORMATION, WARNING, Baseline, Outcome, axioms_in, first_error, place_of
from llmstep.types import Check, Verdict

_PRINTED: Final = {
    "explicit": "true",
    "fullNames": "true",
    "proofs": "true",
    "instances": "true",
    "universes": "false",
    "deepTerms": "true",
    "funBinderTypes": "true",
    "letVarTypes": "true",
    "notation": "false",
    "coercions": "false",
    "match": "false",
    "structureInstances": "false",
    "analyze": "false",
    "oneline": "false",
    "maxSteps": "1000000",
}
"""Options (`pp.…`) under which Lean prints all of a term, whatever the file sets."""
SHOW_TERM: Final = " ".join([*(f"set_option pp.{name} {value} in" for name, value in _PRINTED.items()), "show_term"])
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

HOLE: Final = "It leaves a hole that is no goal, so that nothing can fill it."
SORRY_USED: Final = "It uses `sorry`, which proves nothing."
PART_UNSHOWN: Final = "Lean does not show whether a part of it uses `sorry`."
_UNSHOWN: Final = "Lean does not show whether it uses `sorry`."
COMPILER_USED: Final = "It trusts compiled code (`check.allowNativeDecide`)."


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

    def shadow(self, candidate: str | None = None) -> ShadowText:
        """The document with the candidate, or with other text in its place."""
        return self.point.shadow_text(self.text, self.candidate if candidate is None else candidate)


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


def with_another_name(text: str, point: InsertionPoint) -> str:
    """The text with another name of the same length for the theorem."""
    _, end = point.declaration.name_span
    start = end - len(point.declaration.short.rpartition(".")[2])
    return text[:start] + "ζ" * (end - start) + text[end:]


def question(name: str) -> str:
    """The command that asks Lean what a theorem rests on; empty without a name."""
    return f"#print axioms {name}" if name else ""


def bracketed(case: Case, *, shown: bool) -> str:
    """The candidate in brackets, as one step.

    Args:
        shown: Lean shows the term that it makes. `conv` shows none, but a tactic in it does, for the equation.
    """
    first, last = _brackets(case) if shown else ("(", " )")
    return "\n".join([first, *("  " + line for line in step_of(case.candidate).lines), last])


def _brackets(case: Case) -> tuple[str, str]:
    return (f"tactic => {SHOW_TERM} (conv => lhs; (", " ))") if case.converts else (f"{SHOW_TERM} (", " )")


def is_whole(case: Case, outcome: Outcome) -> bool:
    """Whether Lean has nothing against the whole declaration, and would have warned of a `sorry` in it.

    Args:
        outcome: Of the candidate.
    """
    scope = case.text.count("\n", 0, case.point.declaration.start)
    complaints = (
        each.get("severity") == ERROR or (each.get("severity") == WARNING and "sorry" in each["message"])
        for each in outcome.diagnostics
        if place_of(each)[0] >= scope
    )
    return case.baseline.warns and case.baseline.axioms is not None and not any(complaints)


def doubt(case: Case, outcome: Outcome, *, shown: bool, closes: bool, parts: bool = False) -> Check | None:
    """What the second look has against a candidate.

    Args:
        outcome: Of the candidate in brackets.
        shown: Lean was to show the term.
        closes: No goal of the candidate's own is left.
        parts: It is known that `parts_of` the term hold.
    """
    if error := first_error(case.baseline, outcome):
        if _TOO_MUCH.search(error):
            return Check(Verdict.UNCHECKED, message="The second check of it takes too long.")
        if shown and case.converts:  # in brackets it was fine: it works at other goals than the first
            return Check(Verdict.UNCHECKED, message=_UNSHOWN)
        return Check(Verdict.INVALID, message=f"It is not one sequence of tactics: {error}")
    axioms, known = axioms_in(outcome), case.baseline.axioms
    if axioms is None and known is not None:
        return Check(Verdict.UNCHECKED, message="Lean does not say which axioms it rests on.")
    new = (axioms or frozenset()) - (known or frozenset())
    own = [each for each in new if _COMPILER.search(each) and _is_own(each, case.point)]
    if own and not case.native:
        return Check(Verdict.INVALID, message=COMPILER_USED)
    if not shown:
        return None
    term = _shown_term(case, outcome)
    if term is None and case.point.optional:
        return Check(Verdict.INVALID, message="It fails, and another alternative takes its place.")
    if term is None or _ELIDED in term or (_SORRY.search(term) and _SORRY.search("\n".join(case.baseline.goals))):
        return Check(Verdict.UNCHECKED, message=_UNSHOWN)
    if _SORRY.search(term):
        return Check(Verdict.INVALID, message=SORRY_USED)
    if _COMPILER_IN_TERM.search(term) and not case.native:
        return Check(Verdict.INVALID, message=COMPILER_USED)
    if not parts and _PART.search(term) and (axioms is None or "sorryAx" in axioms):
        return Check(Verdict.UNCHECKED, message=PART_UNSHOWN)
    if closes and _METAVARIABLE.search(term) and not _METAVARIABLE.search(case.baseline.goals[0]):
        return Check(Verdict.INVALID, message=HOLE)
    return None


def parts_of(case: Case, outcome: Outcome) -> list[str]:
    """The names of the theorems that hold parts of the term that Lean was to show; empty where there are too many.

    Args:
        outcome: Of the candidate in brackets.
    """
    names = list(dict.fromkeys(_PART.findall(_shown(case, outcome) or "")))
    return names if len(names) <= _MAX_PARTS else []


def part_holds(case: Case, outcome: Outcome) -> bool:
    """Whether Lean says of a part that it uses neither `sorry` nor compiled code that does not count.

    Args:
        outcome: Of the candidate in brackets, with the question for the part.
    """
    axioms = axioms_in(outcome)
    if axioms is None or "sorryAx" in axioms:
        return False
    return case.native or not any(_COMPILER.search(each) for each in axioms)


def shows_hole(case: Case, outcome: Outcome) -> bool:
    """Whether there is a hole in the term that Lean was to show.

    Args:
        outcome: Of the candidate in brackets.
    """
    return _METAVARIABLE.search(_shown_term(case, outcome) or "") is not None


def _is_own(axiom: str, point: InsertionPoint) -> bool:
    """Whether an axiom came with this declaration or is the compiler's; those of other theorems are the text's."""
    theorem, native, _ = axiom.partition("._native")
    full = f".{point.declaration.name or _SHOWN_EXAMPLE.split()[1]}"
    return not native or full.endswith(f".{theorem}") or f".{theorem}".endswith(full)


def _shown_term(case: Case, outcome: Outcome) -> str | None:
    """What `show_term` printed, without what stands in quotes; None when it printed nothing."""
    term = _shown(case, outcome)
    return None if term is None else _QUOTED.sub("_", term)


def _shown(case: Case, outcome: Outcome) -> str | None:
    """What `show_term` printed. Behind `<;>` it prints for each goal."""
    line, column = outcome.start
    place = line, column + _brackets(case)[0].index("show_term")
    terms = [
        each["message"]
        for each in outcome.diagnostics
        if each.get("severity") == INFORMATION and place_of(each) == place
    ]
    return "\n".join(terms) if terms else None
