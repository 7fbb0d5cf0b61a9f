"""Runs Lean's own tactics at a goal, and gives them with Lean's word on each as they come."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from cachetools import LRUCache

from llmstep.automation.shaped import LeanTactic
from llmstep.automation.tactics import tactics_for
from llmstep.types import Candidate, Check, Goal, Suggestion, Verdict

SECONDS: Final = 20.0
"""So long, for one goal, new tactics are begun."""
_SURE: Final = 0.85
_UNKNOWN: Final = "unknown tactic"
"""How Lean refuses a word that begins no tactic, whatever the goal."""
_FILES: Final = 64
_MAX_PROPOSALS: Final = 4
"""Of one search."""
_LONGEST: Final = 80
"""Most characters of a text that is worth remembering: what is longer is not tried again."""

Judge = Callable[[str], Awaitable[Check]]
"""Has Lean judge one candidate."""
Search = Callable[[str], Awaitable[Sequence[str]]]
"""The texts that a searching tactic proposes."""


class MissingTactics:
    """The tactics that a file does not have: found out once, whatever tries them."""

    def __init__(self) -> None:
        self._texts: LRUCache[str, set[str]] = LRUCache(_FILES)

    def __call__(self, uri: str, tactic: str) -> bool:
        """Whether the file is known not to have it, or what it begins with."""
        known = self._texts.get(uri, set())
        return not known.isdisjoint((tactic.rstrip("?"), tactic.split()[0].rstrip("?")))

    def learn(self, uri: str, tactic: str, check: Check) -> bool:
        """Whether Lean has just refused it as no tactic of the file, which is remembered."""
        unknown = check.verdict is Verdict.INVALID and check.message.startswith(_UNKNOWN)
        if unknown and len(tactic) <= _LONGEST:
            self._texts.setdefault(uri, set()).add(tactic.rstrip("?"))
        return unknown

    def forget(self, uri: str | None = None) -> None:
        """What a file does not have may come with other imports. None forgets all files."""
        if uri is None:
            self._texts.clear()
        else:
            self._texts.pop(uri, None)


class Automation:
    """Lean's own tactics as a source of candidates; knows which of them a file does not have."""

    def __init__(self) -> None:
        self.missing = MissingTactics()

    async def suggestions(
        self,
        uri: str,
        goal: Goal,
        judge: Judge,
        search: Search | None,
        *,
        tactics: Sequence[str] = (),
        prefix: str = "",
    ) -> AsyncIterator[Suggestion]:
        """The tactics for a goal with Lean's word on each, in the order tried; not those that the file does not have.

        Searches take longest. They are left out once a tactic that is rarely the wrong one has closed the goal.

        Args:
            uri: Address of the file.
            search: None leaves all searches out.
            tactics: The user's list; empty means the default.
            prefix: What each begins with.
        """
        until = time.monotonic() + SECONDS
        closed = False
        for tactic in tactics_for(goal, tactics, prefix):
            if self.missing(uri, tactic.text) or (tactic.search and (closed or search is None)):
                continue
            if time.monotonic() > until:
                return
            for text in await _texts(tactic, search, prefix.strip()):
                check = await judge(text)
                closed = closed or (check.verdict is Verdict.CLOSES and tactic.chance >= _SURE)
                if not self.missing.learn(uri, text, check):
                    yield Suggestion(Candidate(text, None, source="lean", chance=tactic.chance), check)


async def _texts(tactic: LeanTactic, search: Search | None, start: str) -> list[str]:
    if not tactic.search or search is None:
        return [tactic.text]
    return [each for each in await search(tactic.text) if each.startswith(start)][:_MAX_PROPOSALS]
