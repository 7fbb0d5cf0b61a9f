"""The one use case: a position in, ranked and checked suggestions out, remembered per document.

goal (from the editor's Lean or our own) -> candidates (from the model) -> checks (by our own Lean) -> ranking
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from llmstep.engine.progress import Progress, since
from llmstep.errors import LeanError, NoGoalError
from llmstep.lean.asking import ask_at
from llmstep.memory import Document, Memory, SuggestionSet, sites_at
from llmstep.premises.asked import premises_for
from llmstep.premises.source import Whereabouts
from llmstep.types import Check, Goal, Sampling, Suggestion, Verdict

if TYPE_CHECKING:
    from lsprotocol.types import Diagnostic, Position, Range

    from llmstep.engine.interface import Generation, ModelEngine
    from llmstep.lean.site import Site
    from llmstep.lean.workspace import LeanWorkspace
    from llmstep.settings import Settings

GoalSource = Callable[[Document, "Site"], Awaitable[Goal]]
"""Gives the goal at a site; raises NoGoalError where there is none."""

CheckSource = Callable[
    [Document, "Site", Goal, Sequence[str], Callable[[int, Check], None]], Awaitable["list[Check] | None"]
]
"""Judges candidates at a site, reporting each with its index; None where it cannot, so that our own Lean has to."""

OnProgress = Callable[[Progress], None]
OnUpdate = Callable[[SuggestionSet], None]


class Assistant:
    """Suggestions for positions in documents.

    Belongs to one asyncio loop. Cancelling the task of `suggest` stops the model within one decoding step and the check
    at once.
    """

    def __init__(
        self, settings: Settings, engine: ModelEngine, lean: LeanWorkspace, memory: Memory | None = None
    ) -> None:
        self.settings = settings
        self.engine = engine
        self.lean = lean
        self.memory = memory or Memory()
        self.premises = premises_for(settings, lean)

    def configure(self, settings: Settings) -> None:
        """Use other settings from now on; what was suggested by another model is forgotten."""
        if _source(settings) != _source(self.settings):
            self.memory.forget()
            self.premises = premises_for(settings, self.lean)
        self.settings = settings
        self.engine.configure(settings)
        self.lean.configure(settings)

    async def suggest(
        self,
        document: Document,
        position: Position,
        *,
        prefix: str | None = None,
        count: int | None = None,
        seed: int | None = None,
        more: bool = False,
        goals: GoalSource | None = None,
        checks: CheckSource | None = None,
        diagnostics: Sequence[Diagnostic] = (),
        on_progress: OnProgress | None = None,
        on_update: OnUpdate | None = None,
    ) -> SuggestionSet:
        """Ask, generate, check, rank and remember.

        Args:
            document: The text to work on.
            position: Where the user asks; see `find_site` for what counts as a goal.
            prefix: What every suggestion starts with; None takes that of an `llmstep "prefix"` call at the position.
            count: Number of samples; None takes the setting.
            seed: Fixes the draw.
            more: Draw afresh and add to what is known for this goal already.
            goals: Where the goal comes from; None asks our own Lean server.
            checks: Who judges the candidates first; where it cannot, and without one, our own Lean server does.
            diagnostics: Those of the editor at this position; they help to find the goal.
            on_progress: Called with each step of the work.
            on_update: Called with the set when it first exists, unchecked, and after every check.

        Raises:
            NoGoalError: There is no goal at the position.
            LeanError: Lean cannot say what the goal is.
            ModelError: The model cannot be loaded or run.
        """
        started = time.perf_counter()
        tell = on_progress or _silent
        _, sites = sites_at(document.text, position, diagnostics)
        tell(Progress("goal", "Asking Lean for the goal"))
        site, goal = await self._goal(document, sites, goals)
        key = site.key(document.text)
        ask = ask_at(document.text, site, goal, site.prefix if prefix is None else prefix)
        if self.premises is not None:
            tell(Progress("goal", "Looking for premises"))
            where = Whereabouts(document.uri, document.text, site)
            ask = attrs.evolve(ask, premises=await self.premises.find(goal, where))
        earlier = self.memory.find(document.uri, key) if more else None
        draws = earlier.draws if earlier else 0
        generation = await self.engine.generate(ask, self._sampling(count, seed, draws), on_progress=tell)
        found = SuggestionSet(
            uri=document.uri,
            version=document.version,
            site=site,
            key=key,
            goal=goal,
            prefix=ask.prefix,
            model=generation.model,
            elapsed_ms=since(started),
            suggestions=(),
            drawn=generation.drawn + (earlier.drawn if earlier else 0),
            draws=draws + 1,
        ).judged(_merge(generation, earlier))
        return await self._check(found, document, started, checks, tell, on_update)

    async def _check(
        self,
        found: SuggestionSet,
        document: Document,
        started: float,
        source: CheckSource | None,
        tell: OnProgress,
        on_update: OnUpdate | None,
    ) -> SuggestionSet:
        """Have Lean judge what is not judged yet, and remember the set after every step."""
        suggestions = [*found.suggestions, *found.rejected]
        pending = [index for index, each in enumerate(suggestions) if each.check.verdict is Verdict.UNCHECKED]
        checked = 0

        def update(note: str = "") -> SuggestionSet:
            current = found.judged(suggestions, elapsed_ms=since(started), note=note)
            self.memory.remember(current)
            if on_update:
                on_update(current)
            return current

        def on_result(number: int, check: Check) -> None:
            nonlocal checked
            checked += 1
            suggestions[pending[number]] = attrs.evolve(suggestions[pending[number]], check=check)
            tell(Progress("check", "Checking", checked, len(pending)))
            update()

        current = update()
        if not pending:
            return current
        if not self.settings.check.enabled:
            return update(note="checks are switched off")
        tell(Progress("check", "Checking", 0, len(pending)))
        try:
            texts = [suggestions[index].text for index in pending]
            checks = await source(document, found.site, found.goal, texts, on_result) if source else None
            if checks is None:
                checked = 0
                checks = await self.lean.check(document.uri, document.text, found.site, found.goal, texts, on_result)
        except (LeanError, NoGoalError) as error:  # the goal may have come from the editor
            return update(note=error.message)
        for index, check in zip(pending, checks, strict=True):
            suggestions[index] = attrs.evolve(suggestions[index], check=check)
        return update(note=_commonest_doubt(checks))

    async def _goal(self, document: Document, sites: Sequence[Site], goals: GoalSource | None) -> tuple[Site, Goal]:
        """The first of the sites at which Lean has a goal, and that goal."""
        if goals is None:
            return await self.lean.locate(document.uri, document.text, sites)
        missing = NoGoalError("There is no goal here.", hint="Put the cursor at a tactic, a `sorry` or after `by`.")
        for site in sites:
            try:
                return site, await goals(document, site)
            except NoGoalError as error:
                missing = error
        raise missing

    def _sampling(self, count: int | None, seed: int | None, draws: int) -> Sampling:
        """The settings' sampling; a later draw for the same goal has another seed, so that no cache answers it."""
        settings = self.settings
        temperature = settings.temperature
        if draws and temperature == 0:
            temperature = Sampling().temperature  # the greedy answer is known already
        if draws:
            seed = (seed or 0) + draws
        return Sampling(count or settings.count, temperature, settings.top_p, settings.max_new_tokens, seed)

    def known(
        self, document: Document, where: Position | Range, diagnostics: Sequence[Diagnostic] = ()
    ) -> SuggestionSet | None:
        """What is known for the goal at a position or range, from memory."""
        return self.memory.known(document, where, diagnostics)

    def sets(self, uri: str) -> list[SuggestionSet]:
        """All that is known for a document, in the order of the places."""
        return self.memory.sets(uri)

    def edited(self, document: Document) -> None:
        """Forget what an edit has made stale: sets whose text up to the goal, or whose place, is no longer the same."""
        self.memory.edited(document)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self.memory.forget(uri)


def _source(settings: Settings) -> tuple[object, ...]:
    """What decides where candidates come from."""
    return (
        settings.model,
        settings.template,
        settings.engine,
        settings.remote,
        settings.premises,
        settings.device,
        settings.dtype,
    )


def _merge(generation: Generation, earlier: SuggestionSet | None) -> list[Suggestion]:
    """The suggestions of earlier draws with their checks, and the new candidates."""
    known = {s.text: s for s in (*earlier.suggestions, *earlier.rejected)} if earlier else {}
    for candidate in generation.candidates:
        known.setdefault(candidate.text, Suggestion(candidate))
    return list(known.values())


def _commonest_doubt(checks: Sequence[Check]) -> str:
    """Why candidates were not judged, where some were not."""
    doubts = [check.message for check in checks if check.verdict is Verdict.UNCHECKED and check.message]
    return max(doubts, key=doubts.count) if doubts else ""


def _silent(_: Progress) -> None:
    pass


__all__ = ["Assistant", "Document", "GoalSource", "Memory", "OnProgress", "OnUpdate", "SuggestionSet"]
