"""The second look at a candidate that Lean has accepted: is it one sequence of tactics, and what does it rest on?

The candidate runs once more in brackets, which hold exactly one sequence of tactics: what begins a command, goes on
with the step before or belongs to the declaration does not parse there. Behind the theorem Lean is asked for its
axioms. Where that says nothing about this candidate, since the theorem has another `sorry` or goals are left, Lean
shows the term.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llmstep.lean.step import step_of
from llmstep.lean.text import masked_text
from llmstep.lean.tokens import NAME
from llmstep.lean.verdict import ERROR, INFORMATION, WARNING, Baseline, Outcome, axioms_in, first_error
from llmstep.types import Check, Verdict

if TYPE_CHECKING:
    from llmstep.lean.insertion_point import InsertionPoint

SHOW_TERM: Final = (
    "set_option pp.deepTerms true in set_option pp.proofs true in set_option pp.maxSteps 1000000 in show_term"
)
_SORRY: Final = re.compile(r"(?<![\w.])sorry(?:Ax)?(?![\w.])")
_AUXILIARY: Final = re.compile(r"\._(?:proof|auxLemma|aux)\w*")
_COMPILER: Final = re.compile(r"(?:^|\.)(?:_native\b|ofReduceBool$|ofReduceNat$|trustCompiler$)")
_COMPILER_IN_TERM: Final = re.compile(r"\._native\b|\bofReduceBool\b|\bofReduceNat\b|\btrustCompiler\b")
_TOO_MUCH: Final = re.compile(r"\(deterministic\) timeout|maximum recursion depth|maximum number of heartbeats")
_EXAMPLE: Final = re.compile(r"(?<![\w.«])example(?![\w'!?.»])")
_SHOWN_EXAMPLE: Final = "def ζζζ"
"""As long as the word it replaces, so that every place stays."""

SORRY_USED: Final = "It uses `sorry`, which proves nothing."
COMPILER_USED: Final = "It trusts compiled code (`check.allowNativeDecide`)."


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


def bracketed(candidate: str, *, shown: bool) -> str:
    """The candidate in brackets, as one step.

    Args:
        shown: Lean shows the term that it makes.
    """
    lines = ["  " + line for line in step_of(candidate).lines]
    return "\n".join([f"{SHOW_TERM} (" if shown else "(", *lines, " )"])


def is_whole(baseline: Baseline, outcome: Outcome, scope: int) -> bool:
    """Whether Lean has nothing against the whole declaration, and would have warned of a `sorry` in it.

    Args:
        scope: The line that the declaration begins on.
    """
    complaints = (
        each.get("severity") == ERROR or (each.get("severity") == WARNING and "sorry" in each["message"])
        for each in outcome.diagnostics
        if each["range"]["start"]["line"] >= scope
    )
    return baseline.warns and baseline.axioms is not None and not any(complaints)


def doubt(point: InsertionPoint, baseline: Baseline, outcome: Outcome, *, shown: bool, native: bool) -> Check | None:
    """What the second look has against a candidate.

    Args:
        outcome: Of the candidate in brackets.
        shown: Lean was to show the term.
        native: Proofs by compiled code count.
    """
    if error := first_error(baseline, outcome):
        if _TOO_MUCH.search(error):
            return Check(Verdict.UNCHECKED, message="The second check of it takes too long.")
        return Check(Verdict.INVALID, message=f"It is not one sequence of tactics: {error}")
    axioms = axioms_in(outcome)
    if axioms is None and baseline.axioms is not None:
        return Check(Verdict.UNCHECKED, message="Lean does not say which axioms it rests on.")
    new = (axioms or frozenset()) - (baseline.axioms or frozenset())
    own = [each for each in new if _COMPILER.search(each) and _is_own(each, point)]
    if own and not native:
        return Check(Verdict.INVALID, message=COMPILER_USED)
    if not shown:
        return None
    term = _shown_term(outcome)
    if term is None and point.optional:
        return Check(Verdict.INVALID, message="It fails, and another alternative takes its place.")
    if term is None:
        return Check(Verdict.UNCHECKED, message="Lean does not show whether it uses `sorry`.")
    if _SORRY.search(term):
        return Check(Verdict.INVALID, message=SORRY_USED)
    if _COMPILER_IN_TERM.search(term) and not native:
        return Check(Verdict.INVALID, message=COMPILER_USED)
    if _AUXILIARY.search(term) and (axioms is None or "sorryAx" in axioms):
        return Check(Verdict.UNCHECKED, message="Lean does not show whether a part of it uses `sorry`.")
    return None


def _is_own(axiom: str, point: InsertionPoint) -> bool:
    """Whether an axiom came with this declaration or is the compiler's; those of other theorems are the text's."""
    theorem, native, _ = axiom.partition("._native")
    full = f".{point.declaration.name or _SHOWN_EXAMPLE.split()[1]}"
    return not native or full.endswith(f".{theorem}") or f".{theorem}".endswith(full)


def _shown_term(outcome: Outcome) -> str | None:
    """What `show_term` printed; None when it printed nothing.

    Behind `<;>` it prints for each goal.
    """
    line, column = outcome.start
    place = {"line": line, "character": column + SHOW_TERM.rindex("show_term")}
    terms = [
        each["message"]
        for each in outcome.diagnostics
        if each.get("severity") == INFORMATION and each["range"]["start"] == place
    ]
    return "\n".join(terms) if terms else None
