"""Judges candidates for the goals of one file, one after the other, in the file's shadow document."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import attrs

from llmstep.errors import LeanCrashedError, LeanMemoryError, LeanTimeoutError, NoGoalError
from llmstep.lean.elide import elide
from llmstep.lean.memo import Memo
from llmstep.lean.place import PLACEHOLDER, Site
from llmstep.lean.refusal import admits, hypothesis_names, may_admit, may_name_itself, refusal
from llmstep.lean.shadow import Shadow
from llmstep.lean.step import step_lines
from llmstep.lean.verdict import (
    ERROR,
    WARNING,
    Baseline,
    Outcome,
    baseline_of,
    first_error,
    is_unsolved,
    judge,
    shows_sorry,
)
from llmstep.types import Check, Verdict

if TYPE_CHECKING:
    from llmstep.lean.place import ShadowText
    from llmstep.lean.server import LeanServer
    from llmstep.lean.verdict import Diagnostic
    from llmstep.settings import CheckSettings

SHOW_TERM = "set_option pp.deepTerms true in set_option pp.proofs true in set_option pp.maxSteps 1000000 in show_term"
_SORRY_USED = "It uses `sorry`, which proves nothing."


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
        self.variables_by_proof = variables_by_proof
        self.shadow = Shadow(server, uri, patience)
        self.used = 0.0
        """When it was last asked, in seconds of the loop's clock."""
        self._lock = asyncio.Lock()
        self._baselines: Memo[Baseline] = Memo(64)
        self._checks: Memo[Check] = Memo(4096)

    @property
    def busy(self) -> bool:
        """Whether the shadow document is in use."""
        return self._lock.locked()

    @property
    def is_open(self) -> bool:
        """Whether the shadow document costs memory."""
        return self.shadow.is_open

    async def baseline(self, text: str, site: Site) -> Baseline:
        """The goals at a site, and what is wrong around it.

        Raises:
            NoGoalError: There is no goal.
            LeanError: Lean does not answer.
        """
        return await self._baseline(self.elided(text, site), site)

    def elided(self, text: str, site: Site) -> str:
        """The text with what stands above the declaration of a site taken as given."""
        return elide(text, site.scope, variables_by_proof=self.variables_by_proof)

    async def _baseline(self, text: str, site: Site) -> Baseline:
        key = _digest(site.shadow(text, PLACEHOLDER))
        known = self._baselines.get(key)
        if known is None:
            async with self._lock:
                known = await self._settle(text, site)
            self._baselines.put(key, known)
        return known

    async def check(self, text: str, site: Site, candidate: str) -> Check:
        """The verdict on a candidate; it is remembered, unless there is none.

        Raises:
            NoGoalError: There is no goal at the site.
            LeanError: Lean does not answer even without the candidate.
        """
        text = self.elided(text, site)
        baseline = await self._baseline(text, site)
        if reason := refusal(candidate, site, hypothesis_names(baseline.goals[0])):
            return Check(Verdict.INVALID, message=reason)
        key = _digest(site.shadow(text, candidate))
        check = self._checks.get(key)
        if check is None:
            async with self._lock:
                check = await self._judge_patiently(text, site, baseline, candidate)
            if check.verdict is not Verdict.UNCHECKED:
                self._checks.put(key, check)
        return check

    async def informations(self, text: str, site: Site, tactic: str) -> list[str]:
        """What a tactic tells at a site: the texts of its informations; none where it takes too long.

        Raises:
            NoGoalError: There is no goal at the site.
            LeanError: Lean does not answer even without the tactic.
        """
        text = self.elided(text, site)
        await self._baseline(text, site)
        if refusal(tactic, site):
            return []
        shadow = site.shadow_text(text, tactic)
        async with self._lock:
            if not self.shadow.is_ready(text[: site.start]):
                await self._settle(text, site)
            try:
                outcome = await self._run(shadow)
            except _TooLongError:
                return []
        return outcome.informations()

    async def errors(self, text: str) -> list[str]:
        """The messages of the errors in a whole text.

        Raises:
            LeanError: Lean does not answer.
        """
        return [each["message"] for each in await self.messages(text) if each.get("severity") == ERROR]

    async def messages(self, text: str) -> list[Diagnostic]:
        """What Lean says about a whole text, from its beginning to its end; Lean itself tells what it finds first.

        Raises:
            LeanError: Lean does not answer.
        """
        async with self._lock:
            said = await self.shadow.read(text)
        return sorted(said, key=_place)

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
        self._baselines, self._checks = Memo(64), Memo(4096)
        return True

    async def _settle(self, text: str, site: Site) -> Baseline:
        shadow = site.shadow_text(text, PLACEHOLDER)
        outcome, goals = await self.shadow.settle(text[: site.start], shadow)
        if not goals or outcome.goals == tuple(goals):  # the placeholder was never reached
            raise _no_goal(goals, outcome, site, text)
        return baseline_of(outcome, goals)

    async def _judge_patiently(self, text: str, site: Site, baseline: Baseline, candidate: str) -> Check:
        """The verdict; a crash of Lean is tried again once, since something else may have been its cause."""
        for last in (False, True):
            try:
                if not self.shadow.is_ready(text[: site.start]):
                    await self._settle(text, site)
                return await self._judge(text, site, baseline, candidate)
            except LeanCrashedError:
                if last:
                    return Check(Verdict.UNCHECKED, message="Lean crashed on it.")
            except LeanMemoryError as error:
                return Check(Verdict.UNCHECKED, message=error.message)
            except _TooLongError:
                return Check(Verdict.UNCHECKED, message=f"no answer within {self.settings.timeout_seconds:g} s")
        raise AssertionError

    async def _judge(self, text: str, site: Site, baseline: Baseline, candidate: str) -> Check:
        outcome = await self._run(site.shadow_text(text, candidate))
        if outcome.goals is None:
            goals = await self.shadow.goals_at(outcome.shadow.end, self.settings.timeout_seconds)
            outcome = attrs.evolve(outcome, goals=goals)
        check = judge(site, baseline, outcome)
        if check.verdict in {Verdict.CLOSES, Verdict.PROGRESS}:
            doubt = await self._doubt(text, site, baseline, candidate, outcome)
            return doubt or check
        return check

    async def _doubt(self, text: str, site: Site, baseline: Baseline, candidate: str, outcome: Outcome) -> Check | None:
        """A second look where a candidate may use `sorry` or the theorem itself in a way that text does not show."""
        if may_admit(candidate) or _warns_of_sorry(text, site, outcome):
            lines = [SHOW_TERM, *("  " + line for line in step_lines(candidate))]
            shown = shows_sorry(await self._run(site.shadow_text(text, "\n".join(lines))))
            if shown is None:
                return Check(Verdict.UNCHECKED, message="Lean does not show whether it uses `sorry`.")
            if shown:
                return Check(Verdict.INVALID, message=_SORRY_USED)
        if may_name_itself(candidate, site):
            renamed = await self.shadow.run(site.shadow_text(_renamed(text, site), candidate), self.shadow.patience)
            self.shadow.forget()
            if first_error(baseline, renamed):
                return Check(Verdict.INVALID, message=f"It uses the theorem itself: `{site.short}`.")
        return None

    async def _run(self, shadow: ShadowText) -> Outcome:
        try:
            return await self.shadow.run(shadow, self.settings.timeout_seconds)
        except LeanTimeoutError as error:
            raise _TooLongError from error


class _TooLongError(Exception):
    """A candidate, not what stands above it, took too long."""


def _warns_of_sorry(text: str, site: Site, outcome: Outcome) -> bool:
    """Lean warns of a `sorry` in this declaration, and the text in front of the candidate does not explain it."""
    line = text.count("\n", 0, site.scope)
    return outcome.says(WARNING, "sorry", (line, 0)) and not (
        admits(text[site.scope : site.start]) or admits(text[slice(*site.rest)])
    )


def _renamed(text: str, site: Site) -> str:
    """The text with another name of the same length for the theorem."""
    end = site.name_at + len(site.short)
    start = end - len(site.short.rpartition(".")[2])
    return text[:start] + "ζ" * (end - start) + text[end:]


def _no_goal(goals: list[str] | None, outcome: Outcome, site: Site, text: str) -> NoGoalError:
    """Why there is no goal: all are accomplished, or something above fails."""
    above = [error for place, error in outcome.errors() if place < outcome.start and not is_unsolved(error)]
    scope = text.count("\n", 0, site.scope)
    fatal = [error for error in above if _line(error) >= scope or _line(error) == 0]
    if fatal:
        hint = f"Lean reports at line {_line(fatal[0]) + 1}: {fatal[0]['message'].strip().splitlines()[0]}"
        return NoGoalError("There is no goal here: an earlier step or the file's header fails.", hint=hint)
    if goals or goals is None:
        return NoGoalError("There is no goal here.", hint="Put the cursor at a tactic, a `sorry` or after `by`.")
    return NoGoalError("All goals are accomplished here.", hint="Put the cursor where Lean still shows a goal.")


def _line(diagnostic: Diagnostic) -> int:
    return int(diagnostic["range"]["start"]["line"]) if diagnostic.get("severity") == ERROR else -1


def _place(diagnostic: Diagnostic) -> tuple[int, int]:
    start = diagnostic["range"]["start"]
    return int(start["line"]), int(start["character"])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
