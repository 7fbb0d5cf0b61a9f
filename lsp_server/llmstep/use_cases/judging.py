"""Has Lean judge the candidates of a run: those of the model, and Lean's own tactics while the model works."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import attrs

from llmstep.aside import aside
from llmstep.errors import LeanError, NoGoalError
from llmstep.lean.prefilter import hypothesis_names, prefilter
from llmstep.memory import Document, SuggestionSet
from llmstep.progress import Progress, ProgressSink
from llmstep.types import Check, Verdict
from llmstep.use_cases.gathering import Gathering
from llmstep.use_cases.parts import CheckSource, Parts


@attrs.frozen
class Judging:
    """The checks of one run."""

    _parts: Parts
    _document: Document
    _gathering: Gathering
    _source: CheckSource | None
    """Who judges first; where it cannot, and without one, our own Lean does."""
    _progress: ProgressSink

    async def automate(self, wanted: SuggestionSet) -> None:
        """Adds Lean's own tactics. What goes wrong with them is left to the checks of the others."""
        settings = self._parts.settings
        if settings.automation == "off" or not settings.check.enabled:
            return
        lean, place = self._parts.lean, (self._document.uri, self._document.text, wanted.point)
        client = self._source

        async def judge(text: str) -> Check:
            nonlocal client
            if client is not None:
                checks = await client(self._document, wanted.point, wanted.goal, [text], lambda *_: None)
                if checks is not None:
                    return checks[0]
                client = None  # nor could it check the others
            return (await lean.check(*place, [text]))[0]

        async def search(tactic: str) -> list[str]:
            return [] if client is not None else await lean.proposals(*place, tactic)

        tried = self._parts.automation.suggestions(
            place[0], wanted.goal, judge, search, tactics=settings.automation_tactics, prefix=wanted.prefix
        )
        with contextlib.suppress(LeanError, NoGoalError):
            async for suggestion in tried:
                self._gathering.tactic(suggestion)

    async def judge(self, found: SuggestionSet) -> str:
        """Has Lean judge what is not judged yet.

        Returns:
            Why some have no verdict; empty where all have one.
        """
        check, gathering = self._parts.settings.check, self._gathering
        names = hypothesis_names(found.goal.text)
        for text in gathering.unchecked():  # by text alone, with or without Lean
            if reason := await aside(prefilter, text, found.point, names, native=check.allow_native_decide):
                gathering.judged(text, Check(Verdict.INVALID, message=reason))
        texts = gathering.unchecked()
        if not texts:
            return ""
        if not check.enabled:
            return "checks are switched off"
        try:
            checks = await self._verdicts(found, texts)
        except (LeanError, NoGoalError) as error:  # the goal may have come from the editor
            return error.message
        for text, verdict in zip(texts, checks, strict=True):
            gathering.judged(text, verdict)
        return _commonest_doubt(checks)

    async def _verdicts(self, found: SuggestionSet, texts: Sequence[str]) -> list[Check]:
        """The verdicts on the texts, each shown as it comes."""
        document, checked = self._document, 0

        def on_result(number: int, check: Check) -> None:
            nonlocal checked
            checked += 1
            self._gathering.judged(texts[number], check)
            self._progress(Progress("check", "Checking", checked, len(texts)))
            self._gathering.update()

        self._progress(Progress("check", "Checking", 0, len(texts)))
        if self._source is not None:
            checks = await self._source(document, found.point, found.goal, texts, on_result)
            if checks is not None:
                return checks
        checked = 0
        return await self._parts.lean.check(document.uri, document.text, found.point, texts, on_result)


def _commonest_doubt(checks: Sequence[Check]) -> str:
    """Why candidates were not judged, where some were not."""
    doubts = [check.message for check in checks if check.verdict is Verdict.UNCHECKED and check.message]
    return max(doubts, key=doubts.count) if doubts else ""
