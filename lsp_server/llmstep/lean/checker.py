"""Judges candidates for the goals of one file, one after the other, in the file's shadow document."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import attrs
from cachetools import LRUCache

from llmstep.errors import LeanCrashedError, LeanMemoryError, LeanTimeoutError
from llmstep.lean.checked_text import CheckedText
from llmstep.lean.insertion_point import InsertionPoint
from llmstep.lean.names import Offer, is_misnamed
from llmstep.lean.offers import Offers
from llmstep.lean.prefilter import MAX_LENGTH, MAX_PROOF_LENGTH, prefilter
from llmstep.lean.recheck import Case, named, question, recheck
from llmstep.lean.server import LeanServer
from llmstep.lean.shadow import Shadow
from llmstep.lean.statement import no_goal, statement_error
from llmstep.lean.text import digest, unmarked
from llmstep.lean.trial import Trial, gapless
from llmstep.lean.verdict import Baseline, Diagnostic, baseline_of, judge, place_of
from llmstep.settings import CheckSettings
from llmstep.types import Check, Verdict

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
                known = await self._settle(*named(text, point), point)
            self._baselines[key] = known
        return known

    async def _case(
        self, text: str, point: InsertionPoint, candidate: str, seconds: float | None = None, *, gaps: bool = False
    ) -> Case | str:
        """A candidate in its place; or why it may not run. With `gaps` it may hold `sorry`."""
        text, point = await self._checked.of(text, point)
        baseline = await self._baseline(text, point)
        native, limit = self.settings.allow_native_decide, seconds or self.settings.timeout_seconds
        case = Case(*named(text, point), point, baseline, candidate, limit, native)
        max_length = MAX_LENGTH if seconds is None else MAX_PROOF_LENGTH
        looked_at = gapless(candidate) if gaps else candidate
        return prefilter(looked_at, point, case.bound, native=native, max_length=max_length) or case

    async def check(self, text: str, point: InsertionPoint, candidate: str, *, seconds: float | None = None) -> Check:
        """The verdict on a candidate; it is remembered, unless there is none. Errors are those of `baseline`.

        Args:
            seconds: Of a whole proof, which may be long: the longest time; None is the settings' for a step.
        """
        case = await self._case(text, point, candidate, seconds)
        if isinstance(case, str):
            return Check(Verdict.INVALID, message=case)
        if case.baseline.unkept or _UNKEPT in case.above:
            return Check(Verdict.UNCHECKED, message=f"An option keeps Lean's kernel from checking (`{_UNKEPT}`).")
        key = digest(case.document().text)
        check = self._checks.get(key)
        if check is None:
            check = await self._judged(case)
            if check.verdict is not Verdict.UNCHECKED:
                self._checks[key] = check
        return check

    async def _judged(self, case: Case) -> Check:
        """The verdict; a crash of Lean is tried again once, since something else may have been its cause."""
        for last in (False, True):
            try:
                async with self._ready(case):
                    with contextlib.suppress(LeanTimeoutError):
                        return await self._looked_at(case)
                return Check(Verdict.UNCHECKED, message=f"no answer within {case.seconds:g} s")
            except LeanMemoryError as error:
                return Check(Verdict.UNCHECKED, message=error.message)
            except LeanCrashedError:
                if last:
                    return Check(Verdict.UNCHECKED, message="Lean crashed on it.")
        raise AssertionError

    async def _looked_at(self, case: Case) -> Check:
        """The verdict by Lean's answer to the candidate, and by a second look where Lean accepts it."""
        outcome = await self.shadow.run(case.document(), case.seconds)
        if outcome.goals is None:
            goals = await self.shadow.goals_at(outcome.shadow.end, case.seconds)
            outcome = attrs.evolve(outcome, goals=goals)
        check = judge(case.point, case.baseline, outcome)
        accepted = check.verdict.accepted
        if accepted:
            closes = check.verdict is Verdict.CLOSES
            if doubt := await recheck(case, outcome, self.shadow, closes=closes):
                return doubt
        return attrs.evolve(check, misnamed=is_misnamed(outcome, case.candidate, accepted=accepted))

    async def trial(self, text: str, point: InsertionPoint, proof: str, seconds: float) -> Trial:
        """What Lean says about a proof that may have gaps (`sorry`). Errors are those of `baseline`.

        Args:
            seconds: The longest time.
        """
        case = await self._case(text, point, proof, seconds, gaps=True)
        if isinstance(case, str):
            return Trial(reason=case)
        async with self._ready(case):
            try:
                return Trial.of(case.baseline, await self.shadow.run(case.document(), seconds))
            except LeanTimeoutError:
                return Trial(reason=f"Lean does not answer within {seconds:g} s.")
            except (LeanCrashedError, LeanMemoryError) as error:
                return Trial(reason=error.message)

    async def informations(
        self, text: str, point: InsertionPoint, tactic: str, seconds: float | None = None
    ) -> list[str]:
        """What a tactic says at an insertion point: the texts of its informations; none where it takes too long.

        Errors are those of `baseline`; `seconds` is as for `check`.
        """
        case = await self._case(text, point, tactic, seconds)
        if isinstance(case, str):
            return []
        async with self._ready(case):
            with contextlib.suppress(LeanTimeoutError):
                return (await self.shadow.run(case.document(), case.seconds)).informations()
        return []

    async def renamed(self, text: str, point: InsertionPoint, candidate: str) -> list[str]:
        """A candidate with names that Lean offers for those that it does not know or calls deprecated.

        Returns:
            The likest first, none of them judged; none where Lean offers nothing, or takes too long.
        """
        case = await self._case(text, point, candidate)
        if isinstance(case, str):
            return []
        async with self._ready(case):
            known = self._offers.setdefault(digest(case.document(point.placeholder).text), {})
            with contextlib.suppress(LeanTimeoutError):
                return await Offers(self.shadow, case, known).texts()
        return []

    @contextlib.asynccontextmanager
    async def _ready(self, case: Case) -> AsyncIterator[None]:
        """Holds the shadow document, in which Lean has elaborated what stands above a candidate."""
        async with self._lock:
            if not self.shadow.is_ready(case.above):
                await self._settle(case.text, case.name, case.point)
            yield

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

    async def _settle(self, text: str, name: str, point: InsertionPoint) -> Baseline:
        """Has Lean elaborate a text up to an insertion point; `named` gives the text and the name."""
        shadow = point.shadow_text(text, point.placeholder)
        outcome, goals = await self.shadow.settle(text[: point.start], shadow, question(name))
        if not goals or outcome.goals == goals:  # the placeholder was never reached
            raise no_goal(goals, await self.shadow.read(text[: point.declaration.end]), point, text)
        if error := statement_error(text, point, outcome, goals):
            raise error
        return baseline_of(outcome, goals, text.count("\n", 0, point.declaration.start))
