"""A tactic of Lean that is tried at a goal, and which of them a file does not have."""

from __future__ import annotations

from typing import Final

import attrs
from cachetools import LRUCache

from llmstep.types import Check, Verdict

_UNKNOWN: Final = "unknown tactic"
"""How Lean refuses a word that begins no tactic, whatever the goal."""
_FILES: Final = 64
_LONGEST: Final = 80
"""Most characters of a text that is worth remembering: what is longer is not tried again."""


@attrs.frozen
class LeanTactic:
    """A tactic to try."""

    text: str
    chance: float
    """How likely it is to be the wanted step once Lean accepts it, from 0 to 1; the model's counterpart is the mean
    probability of its tokens."""
    search: bool = False
    """It proposes texts ("Try this: …"), and these are the candidates."""


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
