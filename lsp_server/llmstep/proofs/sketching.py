"""Sketches for models of steps: a fact by `have`, without its proof, then the goal and the fact each by a search.

A fact that cuts the goal in two makes two short searches of one long one. The model proposes facts: it is asked for
steps that begin with `have`, of which the statements count. What the goal's own text suggests is tried as well: what a
premise gives once its own premise is proved, and the sides of a conjunction. Half of the budget is for that; the plain
search has the rest, since facts often help with nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import attrs

from llmstep.automation.goal_text import entries_of, parts_at
from llmstep.lean.asking import prompt_input_at
from llmstep.lean.text import mask
from llmstep.lean.tokens import CLOSING, OPENING, tokenize
from llmstep.proofs import filling
from llmstep.proofs.draft import Draft
from llmstep.proofs.work import Found, Work

_MAX_SKETCHES: Final = 8
_MAX_FROM_TEXT: Final = 6
_HAVE: Final = "have "


@attrs.frozen
class Fact:
    """A fact on the way to a goal."""

    named: str
    """`have h`, with its binders where it has some."""
    statement: str

    def step(self, statement: str = "") -> str:
        """The step without its proof, and the goal behind it."""
        return f"{self.named} : {statement or self.statement} := sorry\nsorry"


async def sketch(work: Work, keep: Callable[[Draft], None]) -> Found:
    """Search for a proof by way of facts, then without them.

    Args:
        keep: Called with each draft in which the goal follows from a fact that is still open.

    Raises:
        ModelError: The model cannot be loaded or run.
        LeanError: Lean cannot be started.
    """
    best: Draft | None = None
    end, max_expansions = work.deadline, work.plan.expansions
    half = work.deadline - work.left / 2
    facts = await _facts(work)
    for number, fact in enumerate(facts, start=1):
        allowed = max_expansions // 2 - work.expansions
        work.deadline = half
        if work.left <= 0 or allowed <= 0:
            break
        work.say(f"Sketch {number} of {len(facts)}: {fact.named} : {fact.statement}")
        share = max(2, allowed // (len(facts) - number + 1))
        draft = await filling.by_search(work, Draft.of(work.judge, fact.step()), last_first=True, expansions=share)
        work.deadline = end
        if not draft.gaps and await work.judge.refusal(draft.proof) is None:
            return Found(draft, "proved")
        if draft.gaps == 1 and best is None:
            best = draft
            keep(draft)
    work.deadline = end
    work.say("Searching without a fact")
    draft = await filling.by_search(work, Draft.of(work.judge, "sorry"))
    if not draft.gaps and await work.judge.refusal(draft.proof) is None:
        return Found(draft, "proved")
    if best is not None:
        return Found(best, "partial")
    over = work.expansions >= max_expansions
    return Found(None, "expansions" if over else "exhausted" if work.left > 0 else "seconds")


async def _facts(work: Work) -> list[Fact]:
    """Facts that Lean understands, those of the model first."""
    judge = work.judge
    facts: list[Fact] = []
    if work.plan.tactics != "list":
        work.say("Asking the model for facts that lead to the goal")
        facts += await _from_model(work)
    facts += facts_of(judge.goal.text)
    made: list[Fact] = []
    seen: set[tuple[str, ...]] = set()
    for fact in dict.fromkeys(facts):
        trial = await judge.trial(fact.step(f"({fact.statement} : Prop)"))  # a type is no fact
        if trial.reason or trial.faults:
            continue
        goals = await filling.goals_of(work, Draft.of(judge, fact.step()))
        if goals in seen or len(goals) != 2 or goals[0] == judge.goal.text:
            continue  # the fact is there already, or is the goal itself
        seen.add(goals)
        made.append(fact)
        if len(made) == _MAX_SKETCHES:
            break
    return made


async def _from_model(work: Work) -> list[Fact]:
    judge = work.judge
    prompt_input = prompt_input_at(judge.text, judge.point, judge.goal, _HAVE)
    made = await work.steps().engine.generate(prompt_input, work.plan.sampling, progress=work.progress)
    work.model = made.model
    return list(stated(each.text for each in made.candidates))


def stated(steps: Iterable[str]) -> Iterator[Fact]:
    """What `have` steps state: `have h : T` of `have h : T := …`. Those that state nothing are left out."""
    for step in steps:
        masked = mask(step)
        words = list(tokenize(masked, 0, len(masked)))
        depth, end, colon = 0, len(step), 0
        for token in words:
            depth += (token.text in OPENING) - (token.text in CLOSING)
            colon = colon or (token.start if depth == 0 and token.text == ":" else 0)
            if depth == 0 and token.text in {":=", "by", "from"}:
                end = token.start
                break
        statement = step[colon + 1 : end].strip()
        if words and words[0].text == "have" and colon and statement and "\n" not in step[:end].strip():
            yield Fact(step[:colon].strip(), statement)


def facts_of(goal: str) -> list[Fact]:
    """Facts that a goal's own text suggests, the likeliest first.

    The premises that an implication with the target as its conclusion needs, conclusions of the other implications,
    both sides of a target that is a conjunction, and a choice the other way round.
    """
    hypotheses, target = entries_of(goal)
    known = {kind for _, kind in hypotheses}
    implications = [parts for _, kind in hypotheses if len(parts := parts_at(kind, "→")) > 1]
    found = [premise for *premises, end in implications if end.strip() == target for premise in premises]
    found += [end for *_, end in implications if end.strip() != target]
    sides = parts_at(target, "∧")
    found += sides if len(sides) > 1 else []
    found = [each.strip() for each in found if each.strip() not in known or each in sides]
    for _, kind in hypotheses:
        if len(choices := parts_at(kind, "∨")) > 1:
            found.append(" ∨ ".join(side.strip() for side in reversed(choices)))
    return [Fact("have", each) for each in dict.fromkeys(found)][:_MAX_FROM_TEXT]
