"""Runs Lean's own tactics at a goal, and gives those that Lean accepts as they come."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from llmstep.automation.tactics import tactics_for
from llmstep.types import Candidate, Check, Suggestion, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmstep.automation.tactic import LeanTactic
    from llmstep.types import Goal

SECONDS: Final = 20.0
"""So long, for one goal, new tactics are begun."""
_UNKNOWN: Final = "unknown tactic"
"""How Lean refuses a word that begins no tactic, whatever the goal."""
_SURE: Final = 0.85
_FILES: Final = 64


Judge = Callable[[str], Awaitable[Check]]
"""Has Lean judge one candidate."""
Search = Callable[[str], Awaitable[Sequence[str]]]
"""The texts that a searching tactic proposes."""


class Automation:
    """Lean's own tactics as a source of candidates; knows which of them a file does not have."""

    def __init__(self) -> None:
        self._missing: dict[str, set[str]] = {}

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
        """The tactics that Lean accepts for a goal, in the order tried; those that it refuses are not given.

        Searches take longest. They are left out once a tactic that is rarely the wrong one has closed the goal.

        Args:
            uri: Address of the file.
            search: None leaves all searches out.
            tactics: The user's list; empty means the default.
            prefix: What each begins with.
        """
        until = time.monotonic() + SECONDS
        missing = self._missing_in(uri)
        closed = False
        for tactic in tactics_for(goal, tactics, prefix):
            word = _word(tactic.text)
            if word in missing or (tactic.search and (closed or search is None)):
                continue
            if time.monotonic() > until:
                return
            for text in await _texts(tactic, search, prefix.strip()):
                check = await judge(text)
                if check.verdict.accepted:
                    closed = closed or (check.verdict is Verdict.CLOSES and tactic.chance >= _SURE)
                    yield Suggestion(Candidate(text, None, source="lean", chance=tactic.chance), check)
                elif check.message.startswith(_UNKNOWN):
                    missing.add(word)

    def _missing_in(self, uri: str) -> set[str]:
        while len(self._missing) >= _FILES and uri not in self._missing:
            del self._missing[next(iter(self._missing))]
        return self._missing.setdefault(uri, set())

    def forget(self, uri: str | None = None) -> None:
        """What a file does not have may come with other imports."""
        if uri is None:
            self._missing.clear()
        else:
            self._missing.pop(uri, None)


def _word(text: str) -> str:
    """What is missing where Lean knows no such tactic: its first word, or all of it where it has several tactics."""
    if any(sign in text for sign in (";", "\n", "(", "|")) or " by " in text:
        return text
    return text.split()[0].rstrip("?")


async def _texts(tactic: LeanTactic, search: Search | None, start: str) -> list[str]:
    if not tactic.search or search is None:
        return [tactic.text]
    return [each for each in await search(tactic.text) if each.startswith(start)]
