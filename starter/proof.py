"""Proofs as trees of tactics, and the contexts they are made in."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as changed
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starter.formulas import Formula


@dataclass(frozen=True)
class Step:
    """One tactic and the proofs of the goals it leaves, in Lean's order."""

    tactic: str
    children: tuple[Step, ...] = ()

    def text(self) -> str:
        return "\n".join([self.tactic, *(child.text() for child in self.children)])

    def depth(self) -> int:
        return 1 + max((child.depth() for child in self.children), default=0)


@dataclass(frozen=True)
class Context:
    """Hypotheses and variables in scope, and the hypotheses that were found useless to take apart."""

    hypotheses: tuple[tuple[str, Formula], ...]
    variables: tuple[tuple[str, str], ...]
    taken: frozenset[str]
    idle: frozenset[str] = frozenset()
    rewrites: int = 0

    def add(self, name: str, formula: Formula) -> Context:
        return changed(self, hypotheses=(*self.hypotheses, (name, formula)), taken=self.taken | {name})

    def add_variable(self, name: str, kind: str) -> Context:
        return changed(self, variables=(*self.variables, (name, kind)), taken=self.taken | {name})

    def drop(self, name: str) -> Context:
        return changed(self, hypotheses=tuple(h for h in self.hypotheses if h[0] != name))


def mentions(step: Step, names: set[str] | frozenset[str]) -> bool:
    """Whether a proof uses one of the names, or a tactic that looks through the whole context."""
    text = step.text()
    for sign in "⟨⟩()[],.|:":
        text = text.replace(sign, " ")
    words = set(text.split())
    return bool(words & names) or "contradiction" in words or "assumption" in words or "simp_all" in words
