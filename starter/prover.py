"""A small prover that writes proofs as people write them: one readable tactic a step, always the same preference.

Its idea of what a tactic does is only a guess good enough to find proofs; Lean runs every script afterwards and
what it refuses is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.formulas import FALSE, Formula, substitute
from starter.moves import MOVES
from starter.names import first_free, rule_name
from starter.proof import Context, Step
from starter.terms import TermSearch

if TYPE_CHECKING:
    from random import Random


class Prover:
    """Depth-first search; ``limit`` is the cost of the longest term that one ``exact`` may give."""

    def __init__(self, rng: Random, classical: bool = False, limit: float = 3.4, nodes: int = 150) -> None:
        self.rng = rng
        self.classical = classical
        self.limit = limit
        self.nodes = nodes

    def prove(self, context: Context, goal: Formula, depth: int) -> Step | None:
        """A proof of at most ``depth`` tactics in a row, or None when none was found in the bounds."""
        self.nodes -= 1
        if self.nodes < 0:
            return None
        search = TermSearch(list(context.hypotheses))
        closing = self._close(context, goal, search)
        if closing is not None:
            return closing
        if depth <= 1:
            return None
        if goal[0] in ("imp", "not", "all", "ne"):
            return self._intro(context, goal, depth)
        for move in MOVES:
            found = move(self, context, goal, depth, search)
            if found is not None:
                return found
        return None

    def _close(self, context: Context, goal: Formula, search: TermSearch) -> Step | None:
        facts = {formula: name for name, formula in context.hypotheses}
        if goal in facts:
            return Step("assumption" if self.rng.random() < 0.03 else f"exact {facts[goal]}")
        if goal[0] == "T":
            return Step("trivial")
        if (goal[0] == "eq" and goal[1] == goal[2]) or (goal[0] == "iff" and goal[1] == goal[2]):
            return Step("rfl")
        if FALSE in facts:
            return Step(f"exact {facts[FALSE]}.elim")
        limit = self.limit
        if goal[0] in ("imp", "not", "all", "ne"):
            limit = 2.4
        found = search.find(goal, limit)
        if found is not None:
            return Step(f"exact {found[0]}")
        if goal[0] == "or" or (goal[0] in ("imp", "all") and goal[-1] != FALSE):
            return None
        if goal[0] not in ("F", "not", "ne"):
            for name, formula in context.hypotheses:
                if formula[0] == "not" and formula[1] in facts:
                    return Step(
                        "contradiction" if self.rng.random() < 0.1 else f"exact absurd {facts[formula[1]]} {name}"
                    )
        return None

    def names(self, context: Context, *formulas: Formula) -> tuple[Context, list[str]]:
        names = []
        for formula in formulas:
            names.append(rule_name(formula, context.taken))
            context = context.add(names[-1], formula)
        return context, names

    def pattern(self, context: Context, formula: Formula, deep: int = 3) -> tuple[Context, str]:
        """The ``rcases`` pattern that takes conjunctions and witnesses apart, and the context after it."""
        if deep and formula[0] == "and":
            context, left = self.pattern(context, formula[1], 0 if formula[1][0] != "ex" else deep - 1)
            context, right = self.pattern(context, formula[2], deep - 1)
            return context, f"⟨{left}, {right.removeprefix('⟨').removesuffix('⟩') if right[0] == '⟨' else right}⟩"
        if deep and formula[0] == "ex":
            name = formula[1] if formula[1] not in context.taken else first_free("w", context.taken)
            body = substitute(formula[3], formula[1], ("v", name))
            context, inner = self.pattern(context.add_variable(name, formula[2]), body, deep - 1)
            return context, f"⟨{name}, {inner.removeprefix('⟨').removesuffix('⟩') if inner[0] == '⟨' else inner}⟩"
        context, (name,) = self.names(context, formula)
        return context, name

    def _intro(self, context: Context, goal: Formula, depth: int) -> Step | None:
        """Introduces all that can be introduced at once, and takes the last hypothesis apart if that is natural."""
        parts: list[str] = []
        tactic = "intro"
        most = 1 if self.rng.random() < 0.25 else 4
        while goal[0] in ("imp", "not", "all", "ne") and len(parts) < most:
            if goal[0] == "all":
                name = goal[1] if goal[1] not in context.taken else first_free(goal[1], context.taken)
                context, goal = context.add_variable(name, goal[2]), substitute(goal[3], goal[1], ("v", name))
                parts.append(name)
                continue
            fact, goal = (
                (("eq", *goal[1:]), FALSE) if goal[0] == "ne" else (goal[1], goal[2] if goal[0] == "imp" else FALSE)
            )
            if fact[0] in ("and", "ex") and self.rng.random() < 0.4:
                context, part = self.pattern(context, fact)
                tactic = "rintro"
            else:
                context, (part,) = self.names(context, fact)
            parts.append(part)
        rest = self.prove(context, goal, depth - 1)
        return Step(f"{tactic} {' '.join(parts)}", (rest,)) if rest else None
