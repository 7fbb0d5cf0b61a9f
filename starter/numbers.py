"""Numbers, terms and hypotheses of one statement about natural numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.pools import NUMBERS
from starter.proof import Step
from starter.statements import Statement

if TYPE_CHECKING:
    from random import Random


class Numbers:
    """The numbers of one statement, and its hypotheses as Lean text."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.statement = Statement(rng)
        self.names = self.statement.namer.several(NUMBERS, rng.choice((1, 2, 2, 3, 3, 4)))
        self.statement.groups.append((self.names, rng.choice(("Nat",)), rng.random() < 0.1))

    def name(self) -> str:
        return self.rng.choice(self.names)

    def three(self) -> tuple[str, str, str]:
        names = self.rng.sample(self.names, len(self.names))
        return tuple((names * 3)[:3])  # type: ignore[return-value]

    def term(self) -> str:
        """A short term, in parentheses if it is not a name or a numeral."""
        roll = self.rng.random()
        if roll < 0.65:
            return self.name()
        if roll < 0.75:
            return str(self.rng.choice((0, 1, 2, 3, 5, 7, 10)))
        return (
            f"({self.name()} {self.rng.choice('++*')} {self.rng.choice((self.name(), str(self.rng.randrange(1, 6))))})"
        )

    def suppose(self, text: str) -> str:
        name = self.statement.namer.hypothesis(("le",))
        self.statement.groups.append(([name], text, False))
        return name

    def noise(self) -> None:
        for _ in range(self.rng.choice((0, 0, 0, 1, 1, 2))):
            self.suppose(f"{self.term()} {self.rng.choice(('=', '≤', '<', '≠'))} {self.term()}")


def in_a_row(*tactics: str) -> Step:
    step = Step(tactics[-1])
    for tactic in reversed(tactics[:-1]):
        step = Step(tactic, (step,))
    return step


def bare(term: str) -> str:
    return term[1:-1] if term[0] == "(" else term
