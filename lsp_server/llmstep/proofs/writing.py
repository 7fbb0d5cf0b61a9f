"""Write and repair: a model writes the whole proof, Lean judges it, its errors go back, and gaps go to the search."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from llmstep.errors import ContextLengthError, ModelError
from llmstep.lean.text import mask
from llmstep.printable import counted
from llmstep.progress import Progress, thinned
from llmstep.proofs import filling, prompt
from llmstep.proofs.answer import code_blocks
from llmstep.proofs.draft import Draft, Judged, judged
from llmstep.proofs.restated import Wanted, Written, opened_in, proofs_in
from llmstep.proofs.work import Found, Work
from llmstep.search.attempt import Outcome

if TYPE_CHECKING:
    from llmstep.engine.interface import Answer, Turn

_MAX_PROOFS: Final = 4
"""So many readings of one answer are judged."""
_LEAST_TOKENS: Final = 256
"""With fewer left, no proof is asked for."""
_WARMER: Final = 0.15
"""By so much the temperature rises with each round: the likeliest answer has been given."""
_WARMEST: Final = 1.2


async def write(work: Work, keep: Callable[[Draft], None], *, sketch: bool = False) -> Found:
    """Have the model write a proof, and repair it.

    Args:
        keep: Called with each draft that is better than those before.
        sketch: The model is asked for a sketch, whose gaps go to the search at once.

    Raises:
        ModelError: The model cannot be loaded or run.
        LeanError: Lean cannot be started.
    """
    return await _Writer(work, keep, sketch=sketch).run()


class _Writer:
    def __init__(self, work: Work, keep: Callable[[Draft], None], *, sketch: bool) -> None:
        self._work = work
        self._keep = keep
        self._sketch = sketch
        self._best: Draft | None = None
        self._file_tokens = prompt.FILE_TOKENS
        judge = work.judge
        text = judge.lean.elided(judge.uri, judge.text, judge.point)
        shadow = judge.point.shadow_text(text, judge.point.placeholder)
        self._document = shadow.text
        self._wanted = _wanted(work)

    async def run(self) -> Found:
        work = self._work
        work.say("Loading the model that writes the proof")
        await work.engine.load(progress=work.progress)
        asked: list[Turn] = []
        outcome: Outcome = "rounds"
        for number in range(work.plan.rounds + 1):
            budget = self._budget()
            if budget < _LEAST_TOKENS:
                outcome = "tokens"
                break
            try:
                answer = await self._answer(asked, number, budget)
            except ModelError:
                if self._best is None:
                    raise
                break  # what there is goes to the search
            best = await self._judged(answer)
            if best is not None and best[0].accepted:
                return Found(Draft.of(work.judge, best[0].proof), "proved")
            if best is not None and (found := await self._drafted(best[0])) is not None:
                return found
            if self._sketch and self._best is not None:
                break
            asked = self._back(answer, best)
        return await self._searched(outcome)

    # --- one round

    def _budget(self) -> int:
        """Tokens that the next answer may have: an equal part of what is left for each round that is left."""
        work = self._work
        rounds = max(1, work.plan.rounds + 1 - work.rounds)
        return max(0, work.plan.tokens - work.tokens) // rounds

    async def _answer(self, asked: list[Turn], number: int, budget: int) -> Answer:
        work = self._work
        steps = work.plan.sampling
        temperature = min(steps.temperature + number * _WARMER, max(_WARMEST, steps.temperature))
        seed = None if steps.seed is None else steps.seed + number
        sampling = attrs.evolve(steps, count=1, temperature=temperature, max_new_tokens=budget, seed=seed)
        doing = "Writing a sketch" if self._sketch else "Writing a proof" if not number else "Repairing the proof"
        what = f"{doing} (round {number + 1} of {work.plan.rounds + 1})"
        work.say(what)

        def tokens(update: Progress) -> None:
            work.say(f"{what}: {update.done} tokens")

        progress = thinned(tokens)

        while True:
            style = work.style or "chat"
            turns = prompt.opening(
                style, self._document, work.judge.goal.state, sketch=self._sketch, maximum=self._file_tokens
            )
            try:
                answer = await work.engine.converse([*turns, *asked], sampling, progress=progress)
                break
            except ContextLengthError:
                if self._file_tokens <= _LEAST_TOKENS:
                    raise
                self._file_tokens //= 2
        work.rounds += 1
        work.tokens += answer.tokens
        work.model = answer.model
        return answer

    async def _judged(self, answer: Answer) -> tuple[Judged, Written] | None:
        """The best reading of an answer: one that Lean accepts, else the one with the fewest gaps."""
        readings = [each for block in code_blocks(answer.text) for each in proofs_in(block, self._wanted)]
        found: list[tuple[Judged, Written]] = []
        for written in readings[:_MAX_PROOFS]:
            self._work.say("Lean judges the proof")
            verdict = await judged(self._work.judge, written.proof)
            if verdict.accepted:
                return verdict, written
            found.append((verdict, written))
        return min(found, key=lambda pair: _gaps(pair[0].draft), default=None)

    async def _drafted(self, verdict: Judged) -> Found | None:
        """A proof made from a draft by Lean's own tactics alone; the draft is kept where it is the best so far."""
        draft = verdict.draft
        if draft is None:
            return None
        if _gaps(draft) < _gaps(self._best):
            self._take(draft)
        if not self._sketch:
            draft = await filling.by_tactics(self._work, draft)
        if not draft.gaps and await self._work.judge.refusal(draft.proof) is None:
            return Found(draft, "proved")
        if draft.gaps and _gaps(draft) < _gaps(self._best):
            self._take(draft)
        return None

    def _take(self, draft: Draft) -> None:
        self._best = draft
        self._keep(draft)

    def _back(self, answer: Answer, best: tuple[Judged, Written] | None) -> list[Turn]:
        """What goes back to the model."""
        if best is None:
            return prompt.after_nothing(cut=answer.finish == "length")
        verdict, written = best
        trial = verdict.trial
        if trial is None or trial.reason:
            return prompt.after_refusal(written.proof, trial.reason if trial else verdict.reason)
        judge = self._work.judge
        left, point = judge.own(trial.goals or ()), judge.point
        # Lean has read an example under a name, and proofs above as `sorry`; the model sees the file's own text.
        trial = attrs.evolve(trial, document=judge.text[: point.start] + trial.document[point.start :])
        scope = min(point.declaration.start, trial.start)
        return prompt.after_fault(trial, scope, left, changed=written.changed, reason=verdict.reason)

    # --- the end

    async def _searched(self, outcome: Outcome) -> Found:
        """The gaps of the best draft go to the search; without a draft the whole goal does."""
        work = self._work
        draft = self._best or Draft.of(work.judge, "sorry")
        if draft.gaps <= filling.MAX_GAPS:
            work.say(f"Searching for proofs of {counted(draft.gaps, 'gap')}")
            if self._sketch or self._best is None:
                draft = await filling.by_tactics(work, draft)
            draft = await filling.by_search(work, draft, self._keep)
        if not draft.gaps:
            refusal = await work.judge.refusal(draft.proof)
            return Found(draft, "proved") if refusal is None else Found(self._best, "refused")
        if draft.proof.strip() == "sorry":
            return Found(None, outcome)
        return Found(draft, "partial")


def _gaps(draft: Draft | None) -> int:
    """Number of gaps; the goal itself, and a draft that there is not, have more than any."""
    return 1 << 20 if draft is None or draft.proof.strip() == "sorry" else draft.gaps


def _wanted(work: Work) -> Wanted:
    judge = work.judge
    opened = opened_in(mask(judge.text))
    declaration = judge.point.declaration
    statement = ""
    if declaration.name_at >= 0:
        statement = judge.text[declaration.name_span[1] : judge.point.start].partition(":=")[0]
    return Wanted(declaration.short, work.written, opened, statement)
