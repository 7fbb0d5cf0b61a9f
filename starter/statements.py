"""What the families share: a statement under construction, its binders as people write them, its theorem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.formulas import Formula, show
from starter.names import Namer
from starter.proof import Context, Step
from starter.script import Theorem

if TYPE_CHECKING:
    from random import Random

    from starter.prover import Prover


class Statement:
    """Types, variables and hypotheses in the order in which they are bound, and a goal."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.namer = Namer(rng)
        self.groups: list[tuple[list[str], str, bool]] = []
        self.variables: list[tuple[str, str]] = []
        self.hypotheses: list[tuple[str, Formula]] = []

    def declare(self, names: list[str], kind: str, implicit: bool = False) -> None:
        """Binds names of one type; they count as things that a quantifier can be instantiated with."""
        self.groups.append((names, kind, implicit))
        self.variables += [(name, kind) for name in names]

    def suppose(self, formula: Formula) -> str:
        """Adds a hypothesis under a name in the statement's style."""
        name = self.namer.hypothesis(formula)
        self.hypotheses.append((name, formula))
        return name

    def shuffle(self) -> None:
        if self.rng.random() < 0.7:
            self.rng.shuffle(self.hypotheses)

    def binders(self) -> str:
        parts = []
        for names, kind, implicit in self.groups:
            opening, closing = "{}" if implicit else "()"
            parts.append(f"{opening}{' '.join(names)} : {kind}{closing}")
        parts += [f"({name} : {show(formula)})" for name, formula in self.hypotheses]
        return " ".join(parts)

    def context(self) -> Context:
        taken = frozenset(self.namer.used)
        return Context(tuple(self.hypotheses), tuple(self.variables), taken)

    def theorem(self, family: str, goal: Formula, prover: Prover, depth: int) -> Theorem | None:
        """The theorem with the proof that the prover finds, or None."""
        proof = prover.prove(self.context(), goal, depth)
        return None if proof is None else Theorem(family, f"{self.binders()} : {show(goal)}", proof)

    def with_proof(self, family: str, goal: str, proof: Step) -> Theorem:
        """The theorem with a proof known beforehand."""
        return Theorem(family, f"{self.binders()} : {goal}".strip(), proof)


def move_to_goal(statement: Statement, goal: Formula) -> Formula:
    """Turns some of the last hypotheses into premises of the goal."""
    rng = statement.rng
    while statement.hypotheses and rng.random() < 0.4:
        _, fact = statement.hypotheses.pop()
        goal = ("imp", fact, goal)
    statement.namer.used = {n for names, _, _ in statement.groups for n in names} | {n for n, _ in statement.hypotheses}
    return goal
