"""Judges candidates for the goals of one file, one after the other, in the file's shadow document."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cachetools import LRUCache

from llmstep.errors import LeanCrashedError, LeanMemoryError, LeanTimeoutError
from llmstep.lean.checked_text import CheckedText
from llmstep.lean.insertion_point import InsertionPoint
from llmstep.lean.judging import Judging, TooLongError
from llmstep.lean.names import Offer
from llmstep.lean.offers import Offers
from llmstep.lean.prefilter import MAX_LENGTH, MAX_PROOF_LENGTH, hypothesis_names, prefilter
from llmstep.lean.recheck import Case, named, question
from llmstep.lean.shadow import Shadow
from llmstep.lean.statement import no_goal, statement_error
from llmstep.lean.text import digest, unmarked
from llmstep.lean.trial import Trial, gapless
from llmstep.lean.verdict import Baseline, Diagnostic, baseline_of, place_of
from llmstep.types import Check, Verdict

if TYPE_CHECKING:
    from llmstep.lean.server import LeanServer
    from llmstep.settings import CheckSettings

_UNKEPT = "skipKernelTC"
"""An option with which Lean's kernel checks nothing."""


class FileChecker:
    """The goals and the checks of one file.

    Args:
        server: The Lean server of its project.
        uri: Its address.
        settings: Limits for a candidate.
        patience: Longest wait in seconds for what stands above a goal.
        variables_by_proof: See `elide`.
    """

    def __init__(
        self,
        server: LeanServer,
        uri: str,
        settings: CheckSettings,
        patience: float,
        *,
        variables_by_proof: bool = False,
    ) -> None:
        self.settings = settings
        self.shadow = Shadow(server, uri, patience)
        self.used = 0.0
        """When it was last asked, in seconds of the loop's clock."""
        self._lock = asyncio.Lock()
        self._baselines: LRUCache[str, Baseline] = LRUCache(64)
        self._checks: LRUCache[str, Check] = LRUCache(4096)
        self._judging = Judging(self.shadow, self._settle)
        self._checked = CheckedText(self.shadow, self._lock, variables_by_proof=variables_by_proof)
        self._offers: LRUCache[str, dict[str, list[Offer]]] = LRUCache(16)

    @property
    def busy(self) -> bool:
        """Whether the shadow document is in use."""
        return self._lock.locked()

    @property
    def is_open(self) -> bool:
        """Whether the shadow document costs memory."""
        return self.shadow.is_open

    def outdate(self, files: Sequence[Path] | None) -> bool:
        """Have the imports read again where they rest on one of these files, or on any; whether that is so."""
        outdated = files is None or any(self.shadow.rests_on(file) for file in files)
        self.shadow.is_outdated |= outdated
        return outdated

    async def baseline(self, text: str, point: InsertionPoint) -> Baseline:
        """The goals at an insertion point, and what is wrong around it.

        Raises:
            NoGoalError: There is no goal.
            LeanError: Lean does not answer.
        """
        return await self._baseline(*await self._checked.of(text, point))

    async def _baseline(self, text: str, point: InsertionPoint) -> Baseline:
        key = digest(point.shadow(text, point.placeholder))
        known = self._baselines.get(key)
        if known is None:
            async with self._lock:
                known = await self._settle(text, point)
            self._baselines[key] = known
        return known

    async def check(self, text: str, point: InsertionPoint, candidate: str, *, seconds: float | None = None) -> Check:
        """The verdict on a candidate; it is remembered, unless there is none.

        Args:
            seconds: Of a whole proof, which may be long: the longest time; None is the settings' for a step.

        Raises:
            NoGoalError: There is no goal at the insertion point.
            LeanError: Lean does not answer even without the candidate.
        """
        text, point = await self._checked.of(text, point)
        baseline = await self._baseline(text, point)
        names = hypothesis_names(baseline.goals[0])
        native, max_length = self.settings.allow_native_decide, MAX_LENGTH if seconds is None else MAX_PROOF_LENGTH
        if reason := prefilter(candidate, point, names, native=native, max_length=max_length):
            return Check(Verdict.INVALID, message=reason)
        if baseline.unkept or _UNKEPT in text[: point.start]:
            return Check(Verdict.UNCHECKED, message=f"An option keeps Lean's kernel from checking (`{_UNKEPT}`).")
        key = digest(point.shadow(text, candidate))
        check = self._checks.get(key)
        if check is None:
            async with self._lock:
                limit = seconds or self.settings.timeout_seconds
                case = Case(*named(text, point), point, baseline, candidate, limit, native)
                check = await self._judging.verdict(case, text)
            if check.verdict is not Verdict.UNCHECKED:
                self._checks[key] = check
        return check

    async def trial(self, text: str, point: InsertionPoint, proof: str, seconds: float) -> Trial:
        """What Lean says about a proof that may have gaps (`sorry`), within so many seconds.

        Raises:
            NoGoalError: There is no goal at the insertion point.
            LeanError: Lean does not answer even without the proof.
        """
        text, point = await self._checked.of(text, point)
        baseline = await self._baseline(text, point)
        names, native = hypothesis_names(baseline.goals[0]), self.settings.allow_native_decide
        if reason := prefilter(gapless(proof), point, names, native=native, max_length=MAX_PROOF_LENGTH):
            return Trial.refused(reason)
        shown, _ = named(text, point)
        async with self._lock:
            if not self.shadow.is_ready(shown[: point.start]):
                await self._settle(text, point)
            try:
                return Trial.of(baseline, await self._judging.run(point.shadow_text(shown, proof), seconds))
            except TooLongError:
                return Trial.refused(f"Lean does not answer within {seconds:g} s.")
            except (LeanCrashedError, LeanMemoryError) as error:
                return Trial.refused(error.message)

    async def informations(self, text: str, point: InsertionPoint, tactic: str) -> list[str]:
        """What a tactic says at an insertion point: the texts of its informations; none where it takes too long.

        Raises:
            NoGoalError: There is no goal at the insertion point.
            LeanError: Lean does not answer even without the tactic.
        """

        async def shown_by(shown: str, point: InsertionPoint, _: set[str]) -> list[str]:
            shadow = point.shadow_text(shown, tactic)
            return (await self._judging.run(shadow, self.settings.timeout_seconds)).informations()

        return await self._texts(text, point, tactic, shown_by)

    async def renamed(self, text: str, point: InsertionPoint, candidate: str) -> list[str]:
        """A candidate with names that Lean offers for those that it does not know or calls deprecated.

        Returns:
            The likest first, none of them judged; none where Lean offers nothing, or takes too long.

        Raises:
            NoGoalError: There is no goal at the insertion point.
            LeanError: Lean does not answer even without the candidate.
        """

        async def offered(shown: str, point: InsertionPoint, names: set[str]) -> list[str]:
            known = self._offers.get(key := digest(point.shadow(shown, point.placeholder)))
            if known is None:
                known = self._offers[key] = {}
            return await Offers(self.shadow, shown, point, names, self.settings.timeout_seconds, known).texts(candidate)

        return await self._texts(text, point, candidate, offered)

    async def _texts(
        self,
        text: str,
        point: InsertionPoint,
        candidate: str,
        work: Callable[[str, InsertionPoint, set[str]], Awaitable[list[str]]],
    ) -> list[str]:
        """What comes of work in the shadow document with a candidate that may run.

        Args:
            work: Takes the text that the document shows, the insertion point in it, and the names in the goal.
        """
        text, point = await self._checked.of(text, point)
        names = hypothesis_names((await self._baseline(text, point)).goals[0])
        if prefilter(candidate, point, names, native=self.settings.allow_native_decide):
            return []
        shown, _ = named(text, point)
        async with self._lock:
            if not self.shadow.is_ready(shown[: point.start]):
                await self._settle(text, point)
            try:
                return await work(shown, point, names)
            except (TooLongError, LeanTimeoutError):
                return []

    async def messages(self, text: str) -> list[Diagnostic]:
        """What Lean says about a whole text, from its beginning to its end; Lean itself sends what it finds first.

        Raises:
            LeanError: Lean does not answer.
        """
        async with self._lock:
            said = await self.shadow.read(unmarked(text))
        return sorted(said, key=place_of)

    async def close(self) -> None:
        """Closes the shadow document; what is known stays known."""
        async with self._lock:
            await self.shadow.close()

    async def refresh(self) -> bool:
        """Forgets everything, and has Lean read the imports again, where they have changed; True if they have."""
        self.used = asyncio.get_running_loop().time()
        await self.shadow.look_at_imports()
        if not self.shadow.is_outdated:
            return False
        async with self._lock:
            await self.shadow.reopen()
        self._baselines, self._checks = LRUCache(64), LRUCache(4096)
        self._offers = LRUCache(16)
        self._checked.forget()
        return True

    async def _settle(self, text: str, point: InsertionPoint) -> Baseline:
        text, name = named(text, point)
        shadow = point.shadow_text(text, point.placeholder)
        outcome, goals = await self.shadow.settle(text[: point.start], shadow, question(name))
        if not goals or outcome.goals == tuple(goals):  # the placeholder was never reached
            raise no_goal(goals, await self.shadow.read(text[: point.declaration.end]), point, text)
        if error := statement_error(text, point, outcome, goals):
            raise error
        return baseline_of(outcome, goals, (text.count("\n", 0, point.declaration.start), 0))
