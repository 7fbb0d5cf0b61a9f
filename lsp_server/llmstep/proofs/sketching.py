"""Sketches for models of steps: a fact by `have`, without its proof, then the goal and the fact each by a search.

A fact that cuts the goal in two makes two short searches of one long one. The model proposes facts: it is asked for
steps that begin with `have`, of which the statements count.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs

from llmstep.lean.asking import prompt_input_at
from llmstep.lean.text import mask
from llmstep.lean.tokens import CLOSING, OPENING, tokenize
from llmstep.proofs import filling
from llmstep.proofs.facts import facts_of
from llmstep.proofs.plan import Found
from llmstep.types import SamplingParams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llmstep.proofs.draft import Draft
    from llmstep.proofs.plan import Work

_MAX_SKETCHES: Final = 8
_HAVE: Final = "have "


async def sketch(work: Work, keep: Callable[[Draft], None]) -> Found:
    """Search for a proof by way of facts.

    Args:
        keep: Called with each draft in which the goal follows from a fact that is still open.

    Raises:
        ModelError: The model cannot be loaded or run.
        LeanError: Lean cannot be started.
    """
    best: Draft | None = None
    sketches = await _sketches(work)
    for number, steps in enumerate(sketches, start=1):
        allowed = work.plan.method.expansions - work.counts.expansions
        if work.left <= 0 or allowed <= 0:
            return Found(best, "partial" if best else "seconds" if allowed > 0 else "expansions")
        work.say(f"Sketch {number} of {len(sketches)}: {steps.splitlines()[0]}")
        draft = await _proved(work, steps, max(2, allowed // (len(sketches) - number + 1)))
        if not draft.gaps and await work.judge.refusal(draft.proof) is None:
            return Found(draft, "proved")
        if draft.gaps == 1 and best is None:
            best = draft
            keep(draft)
    return Found(best, "partial" if best else "exhausted")


async def _proved(work: Work, steps: str, expansions: int) -> Draft:
    """The draft of a sketch with its gaps filled as far as so many expansions reach; the goal first, then the fact."""
    whole = work.plan
    before = work.counts.expansions
    limit = min(whole.method.expansions, before + expansions)
    work.plan = attrs.evolve(whole, method=attrs.evolve(whole.method, expansions=limit))
    try:
        draft = await filling.by_search(work, work.judge.draft(steps), lambda _: None, last_first=True)
    finally:
        work.plan = whole
    return draft


async def _sketches(work: Work) -> list[str]:
    """Facts that Lean understands, each with the goal behind it open; those of the model first."""
    judge = work.judge
    facts: list[str] = []
    if work.plan.method.tactics != "list":
        work.say("Asking the model for facts that lead to the goal")
        facts += await _from_model(work)
    facts += facts_of(judge.goal.text)
    made: list[str] = []
    seen: set[tuple[str, ...]] = set()
    for fact in dict.fromkeys(facts):
        steps = f"{fact} := sorry\nsorry"
        trial = await judge.trial(steps)
        if trial.reason or trial.faults:
            continue
        goals = await filling.goals_of(work, judge.draft(steps))
        if goals in seen or len(goals) != 2 or goals[0] == judge.goal.text:
            continue  # the fact is there already, or is the goal itself
        seen.add(goals)
        made.append(steps)
        if len(made) == _MAX_SKETCHES:
            break
    return made


async def _from_model(work: Work) -> list[str]:
    judge, method = work.judge, work.plan.method
    prover = work.steps()
    ask = prompt_input_at(judge.text, judge.point, judge.goal, _HAVE)
    sampling = SamplingParams(method.samples, method.temperature, method.top_p, method.max_new_tokens, method.seed)
    made = await prover.engine.generate(ask, sampling, progress=work.progress)
    work.counts.model = made.model
    return list(stated(each.text for each in made.candidates))


def stated(steps: Iterable[str]) -> Iterable[str]:
    """What `have` steps state: `have h : T` of `have h : T := …`. Those that state nothing are left out."""
    for step in steps:
        masked = mask(step)
        if not re.match(r"have\b", masked):
            continue
        depth, end, typed = 0, len(step), False
        for token in tokenize(masked, 0, len(masked)):
            depth += (token.text in OPENING) - (token.text in CLOSING)
            typed = typed or (depth == 0 and token.text == ":")
            if depth == 0 and token.text in {":=", "by", "from"}:
                end = token.start
                break
        if typed and "\n" not in step[:end].strip():
            yield step[:end].strip()
