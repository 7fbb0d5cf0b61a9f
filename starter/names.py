"""Names for generated theorems: as varied as possible in statements, one fixed rule for what a proof adds.

The rule matters: a model that must guess how a new hypothesis is called spreads its probability over many
spellings of the same step, and the sum of log-probabilities then punishes the right move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.pools import KEYWORDS, SUBSCRIPTS, SYLLABLES, WORDS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from random import Random

    from starter.formulas import Formula


def invented(rng: Random) -> str:
    """A name that no list has: syllables, sometimes with a digit, a subscript, an underscore, a prime."""
    name = "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((1, 2, 2, 3))))
    if rng.random() < 0.3:
        name = rng.choice("hHgkxyzpqABCDPQR") + name
    if rng.random() < 0.15:
        name = name[0].upper() + name[1:]
    if rng.random() < 0.15:
        name += "_" + "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((1, 2))))
    roll = rng.random()
    if roll < 0.2:
        name += str(rng.randrange(1, 30))
    elif roll < 0.35:
        name += rng.choice(SUBSCRIPTS)
    elif roll < 0.45:
        name += "'"
    return name


class Namer:
    """Hands out names for one statement, never the same one twice."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.used: set[str] = set()
        self.style = rng.choice(("named", "named", "numbered", "subscript", "h", "letter", "word", "mixed", "invented"))
        self.strange = rng.choice((0.0, 0.05, 0.3, 0.8))

    def take(self, pool: Sequence[str]) -> str:
        """A fresh name from the pool, or an invented one as often as this statement's taste says."""
        for _ in range(12):
            name = invented(self.rng) if self.rng.random() < self.strange else self.rng.choice(pool)
            if name not in self.used and name not in KEYWORDS:
                self.used.add(name)
                return name
        while (name := invented(self.rng)) in self.used or name in KEYWORDS:
            pass
        self.used.add(name)
        return name

    def several(self, pool: Sequence[str], count: int) -> list[str]:
        """``count`` fresh names; half of the time neighbours in the alphabet, as people write p q r."""
        if self.rng.random() < 0.5:
            for _ in range(4):
                first = self.rng.choice(pool)
                run = [chr(ord(first[0]) + i) for i in range(count)]
                if len(first) == 1 and all(n.isalpha() and n not in self.used and n != "λ" for n in run):
                    self.used.update(run)
                    return run
        return [self.take(pool) for _ in range(count)]

    def hypothesis(self, formula: Formula) -> str:
        """A name for a hypothesis of the statement, in this statement's style."""
        style = (
            self.style
            if self.style != "mixed"
            else self.rng.choice(("named", "numbered", "letter", "word", "invented"))
        )
        start = self.rng.choice((0, 1, 1))
        for attempt in range(30):
            if style == "named":
                name = rule_name(formula, ()) if attempt == 0 else f"h{attempt}"
                if attempt == 0 and len(name) == 1 and formula[0] in ("imp", "iff", "and", "or"):
                    name = "h" + "".join(p[1] for p in formula[1:] if p[0] == "at" and not p[2])
            elif style == "numbered":
                name = f"h{start + attempt}"
            elif style == "subscript":
                name = "h" + SUBSCRIPTS[min(start + attempt, 9)]
            elif style == "h":
                name = ("h", "h'", "h''", "H", "H'", "hh", "k", "k'", "g", "h2", "h3")[min(attempt, 10)]
            elif style == "letter":
                name = self.rng.choice("abcdefghijklmnuvwxyzHKEF")
            elif style == "word":
                name = self.rng.choice(("", "", "h", "h_")) + self.rng.choice(WORDS)
            else:
                name = invented(self.rng)
            if name not in self.used and name not in KEYWORDS:
                self.used.add(name)
                return name
        return self.take(["h"])


def rule_name(formula: Formula, taken: Collection[str]) -> str:
    """The name a proof step gives to a new hypothesis.

    ``hp`` for a fact whose head symbol is one character, ``hnp`` for its negation, else ``h``; when that is
    taken, the first free one of ``h``, ``h₁``, ``h₂`` ...
    """
    wish = "h"
    if formula[0] == "at" and len(formula[1]) == 1:
        wish = "h" + formula[1]
    elif formula[0] == "not" and formula[1][0] == "at" and len(formula[1][1]) == 1:
        wish = "hn" + formula[1][1]
    if wish not in taken:
        return wish
    return first_free("h", taken)


def first_free(stem: str, taken: Collection[str]) -> str:
    """``stem``, ``stem₁``, ``stem₂`` ...: the first that is not taken."""
    if stem not in taken:
        return stem
    number = 1
    while (name := stem + "".join(SUBSCRIPTS[int(d)] for d in str(number))) in taken:
        number += 1
    return name
