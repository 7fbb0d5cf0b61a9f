"""Write and repair: a model writes the whole proof, Lean judges it, its errors go back, and gaps go to the search."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from llmstep.errors import ContextLengthError, ModelError
from llmstep.lean.asking import proof_so_far
from llmstep.lean.text import masked_text
from llmstep.printable import counted
from llmstep.progress import Progress, thinned
from llmstep.proofs import filling, prompt
from llmstep.proofs.answer import code_blocks
from llmstep.proofs.draft import Draft, Judged, judged
from llmstep.proofs.restated import Wanted, opened_in, proofs_in
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
    work.say("Loading the model that writes the proof")
    await work.engine.load(progress=work.progress)
    return await _Writer(work, keep, sketch).run()


@attrs.define(eq=False)
class _Writer:
    _work: Work
    _keep: Callable[[Draft], None]
    _sketch: bool
    _best: Draft | None = None
    _file_tokens: int = prompt.FILE_TOKENS

    async def run(self) -> Found:
        work = self._work
        asked: list[Turn] = []
        outcome: Outcome = "rounds"
        for number in range(work.plan.rounds + 1):
            # An equal part of the tokens that are left for each round that is left.
            rounds = max(1, work.plan.rounds + 1 - work.rounds)
            budget = max(0, work.plan.tokens - work.tokens) // rounds
            if budget < _LEAST_TOKENS:
                outcome = "tokens"
                break
            try:
                answer = await self._answer(asked, number, budget)
            except ModelError:
                if self._best is None:
                    raise
                break  # what there is goes to the search
            best = await self._read(answer)
            if best is None:
                asked = prompt.after_nothing(cut=answer.finish == "length")
                continue
            if best.accepted:
                return Found(Draft.of(work.judge, best.proof), "proved")
            if best.draft is not None and (found := await self._filled(best.draft)) is not None:
                return found
            if self._sketch and self._best is not None:
                break
            asked = self._back(best)
        return await self._searched(outcome)

    async def _answer(self, asked: list[Turn], number: int, budget: int) -> Answer:
        work, judge = self._work, self._work.judge
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
        text = judge.lean.elided(judge.uri, judge.text, judge.point)
        document = judge.point.shadow_text(text, judge.point.placeholder).text
        while True:
            turns = prompt.opening(
                work.style or "chat", document, judge.goal.state, sketch=self._sketch, maximum=self._file_tokens
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

    async def _read(self, answer: Answer) -> Judged | None:
        """The best reading of an answer: one that Lean accepts, else the one with the fewest gaps."""
        judge = self._work.judge
        before = proof_so_far(judge.text, judge.point)
        wanted = Wanted(judge.point.declaration.short, before, opened_in(masked_text(judge.text)))
        readings = [proof for block in code_blocks(answer.text) for proof in proofs_in(block, wanted)]
        found: list[Judged] = []
        for proof in readings[:_MAX_PROOFS]:
            self._work.say("Lean judges the proof")
            verdict = await judged(judge, proof)
            if verdict.accepted:
                return verdict
            found.append(verdict)
        return min(found, key=lambda each: _gaps(each.draft), default=None)

    async def _filled(self, draft: Draft) -> Found | None:
        """A proof made from a draft by Lean's own tactics alone; the draft is kept where it is the best so far."""
        self._take(draft)
        if not self._sketch:
            draft = await filling.by_tactics(self._work, draft)
        if not draft.gaps and await self._work.judge.refusal(draft.proof) is None:
            return Found(draft, "proved")
        if draft.gaps:
            self._take(draft)
        return None

    def _take(self, draft: Draft) -> None:
        if _gaps(draft) < _gaps(self._best):
            self._best = draft
            self._keep(draft)

    def _back(self, best: Judged) -> list[Turn]:
        """What goes back to the model."""
        trial = best.trial
        if trial is None or trial.reason:
            return prompt.after_refusal(best.proof, trial.reason if trial else best.reason)
        judge = self._work.judge
        point = judge.point
        # Lean has read an example under a name, and proofs above as `sorry`; the model sees the file's own text.
        trial = attrs.evolve(trial, document=judge.text[: point.start] + trial.document[point.start :])
        scope = min(point.declaration.start, trial.start)
        return prompt.after_fault(trial, scope, judge.own(trial.goals or ()), reason=best.reason)

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
