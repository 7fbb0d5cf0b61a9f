"""The one use case: a position in, ranked and checked suggestions out, remembered per document.

goal (from the editor's Lean or our own) -> candidates (from the model and from Lean's own tactics) -> checks (by our
own Lean) -> ranking
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from llmstep.aside import aside
from llmstep.automation.source import Automation
from llmstep.engine.progress import Progress
from llmstep.errors import LeanError, ModelError, NoGoalError
from llmstep.gathering import Gathering
from llmstep.lean.asking import ask_at
from llmstep.lean.prefilter import hypothesis_names, prefilter
from llmstep.memory import Document, Memory, SuggestionSet, sites_at
from llmstep.premises.asked import premises_for
from llmstep.premises.source import Whereabouts
from llmstep.types import Check, Goal, Sampling, Verdict

if TYPE_CHECKING:
    from lsprotocol.types import Diagnostic, Position, Range

    from llmstep.engine.interface import ModelEngine
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
        self.automation = Automation()
        lean.on_outdated = self._outdated

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
            ModelError: The model cannot be loaded or run, and Lean's own tactics give nothing.
        """
        started = time.perf_counter()
        tell = on_progress or _silent
        _, sites = await aside(sites_at, document.text, position, diagnostics)
        tell(Progress("goal", "Asking Lean for the goal"))
        site, goal = await self._goal(document, sites, goals, lambda words: tell(Progress("goal", words)))
        ask = await aside(ask_at, document.text, site, goal, site.prefix if prefix is None else prefix)
        key = await aside(site.key, document.text)
        earlier = self.memory.find(document.uri, key) if more else None
        empty = SuggestionSet(
            uri=document.uri,
            version=document.version,
            site=site,
            key=key,
            goal=goal,
            prefix=ask.prefix,
            model="",
            elapsed_ms=0.0,
            suggestions=(),
            drawn=earlier.drawn if earlier else 0,
            draws=(earlier.draws if earlier else 0) + 1,
        )
        known = (*earlier.suggestions, *earlier.rejected) if earlier else ()
        gathering = Gathering(empty, known, self.memory, on_update, started)
        tactics = asyncio.ensure_future(self._automate(gathering, document, empty, checks)) if not earlier else None
        try:
            if self.premises is not None:
                tell(Progress("goal", "Looking for premises"))
                where = Whereabouts(document.uri, document.text, site)
                ask = attrs.evolve(ask, premises=await self.premises.find(goal, where))
            try:
                sampling = self._sampling(count, seed, earlier.draws if earlier else 0)
                generation = await self.engine.generate(ask, sampling, on_progress=tell)
            except ModelError as error:
                if tactics is not None:
                    await tactics
                if not gathering.found:
                    raise
                return gathering.update(failure=error)
            gathering.model_candidates(generation.candidates)
            found = gathering.update(model=generation.model, drawn=empty.drawn + generation.drawn)
            note = await self._check(gathering, document, found, checks, tell)
            if tactics is not None:
                await tactics
            return gathering.update(note=note)
        finally:
            if tactics is not None:
                tactics.cancel()

    async def _automate(
        self, gathering: Gathering, document: Document, wanted: SuggestionSet, source: CheckSource | None
    ) -> None:
        """Adds the tactics of Lean that it accepts. What goes wrong with them is left to the checks of the others."""
        settings = self.settings
        if settings.automation == "off" or not settings.check.enabled:
            return
        place = (document.uri, document.text, wanted.site)

        client = source

        async def judge(text: str) -> Check:
            nonlocal client
            if client is not None:
                checks = await client(document, wanted.site, wanted.goal, [text], lambda *_: None)
                if checks is not None:
                    return checks[0]
                client = None  # nor could it check the others
            return (await self.lean.check(*place, wanted.goal, [text]))[0]

        async def search(tactic: str) -> list[str]:
            return [] if client is not None else await self.lean.proposals(*place, tactic)

        tried = self.automation.suggestions(
            document.uri,
            wanted.goal,
            judge,
            search,
            tactics=settings.automation_tactics,
            prefix=wanted.prefix,
        )
        with contextlib.suppress(LeanError, NoGoalError):
            async for suggestion in tried:
                gathering.accepted(suggestion)

    async def _check(
        self,
        gathering: Gathering,
        document: Document,
        found: SuggestionSet,
        source: CheckSource | None,
        tell: OnProgress,
    ) -> str:
        """Has Lean judge what is not judged yet.

        Returns:
            Why some have no verdict; empty where all have one.
        """
        names, native = hypothesis_names(found.goal.text), self.settings.check.allow_native_decide
        for text in gathering.unchecked():  # by text alone, with or without Lean
            if reason := await aside(prefilter, text, found.site, names, native=native):
                gathering.judged(text, Check(Verdict.INVALID, message=reason))
        texts = gathering.unchecked()
        if not texts:
            return ""
        if not self.settings.check.enabled:
            return "checks are switched off"
        checked = 0

        def on_result(number: int, check: Check) -> None:
            nonlocal checked
            checked += 1
            gathering.judged(texts[number], check)
            tell(Progress("check", "Checking", checked, len(texts)))
            gathering.update()

        tell(Progress("check", "Checking", 0, len(texts)))
        try:
            checks = await source(document, found.site, found.goal, texts, on_result) if source else None
            if checks is None:
                checked = 0
                checks = await self.lean.check(document.uri, document.text, found.site, found.goal, texts, on_result)
        except (LeanError, NoGoalError) as error:  # the goal may have come from the editor
            return error.message
        for text, check in zip(texts, checks, strict=True):
            gathering.judged(text, check)
        return _commonest_doubt(checks)

    async def _goal(
        self, document: Document, sites: Sequence[Site], goals: GoalSource | None, on_wait: Callable[[str], None]
    ) -> tuple[Site, Goal]:
        """The first of the sites at which Lean has a goal, and that goal."""
        if goals is None:
            return await self.lean.locate(document.uri, document.text, sites, on_wait)
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

    def _outdated(self, uri: str) -> None:
        """The imports of a document have changed: nothing that is known of it holds any more."""
        self.memory.forget(uri)
        self.automation.forget(uri)

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


def _commonest_doubt(checks: Sequence[Check]) -> str:
    """Why candidates were not judged, where some were not."""
    doubts = [check.message for check in checks if check.verdict is Verdict.UNCHECKED and check.message]
    return max(doubts, key=doubts.count) if doubts else ""


def _silent(_: Progress) -> None:
    pass


__all__ = ["Assistant", "Document", "GoalSource", "Memory", "OnProgress", "OnUpdate", "SuggestionSet"]
