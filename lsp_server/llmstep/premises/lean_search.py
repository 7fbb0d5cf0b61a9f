"""Premises from Lean itself: what its own searches (`apply?`, `rw?`, `suggestions`) name at a goal, with their types.

The searches run at the place of the goal, and what they propose is read for names: `exact Nat.le_of_lt h` names
`Nat.le_of_lt`. Then `#check` says which of the names are constants, and their types. `suggestions` is the tactic of
Lean's library suggestions (4.26 and later), for files that have an engine for them; where it is missing, as where a
search finds nothing, the others are left.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from llmstep.errors import LeanError
from llmstep.lean.prefilter import hypothesis_names
from llmstep.lean.tokens import NAME
from llmstep.lean.verdict import INFORMATION, place_of
from llmstep.lean.workspace import LeanWorkspace
from llmstep.premises.source import Whereabouts
from llmstep.types import Goal, Premise

SEARCHES: Final = ("apply?", "rw?", "suggestions")
_FILLER: Final = "example : True := trivial\n"
"""Takes the doc comment, or the `open … in`, that the declaration leaves behind."""
_CANDIDATES: Final = 64
"""Most names that `#check` is asked about."""

_SCORE: Final = re.compile(r"\(score: .*$", re.MULTILINE)
_NAME: Final = re.compile(rf"(?<![\w.?«'!])@?({NAME})")
_WORDS: Final = frozenset(
    {"apply", "exact", "refine", "rw", "rewrite", "nth_rw", "erw", "simp", "expose_names", "intro", "intros", "fun"}
    | {"by", "at", "with", "from", "using", "show", "have"}
)
"""Words of tactics."""


@attrs.frozen(eq=False)
class LeanSearch:
    """Premises that Lean's own searches name."""

    lean: LeanWorkspace

    async def find(self, goal: Goal, where: Whereabouts | None, count: int, seconds: float) -> tuple[Premise, ...]:
        """See `PremiseSource.find`; a goal without a file has no premises.

        The searches share the time. One that does not end in it, or fails, is left out: premises are a help, and
        suggestions go on without.
        """
        if where is None or not where.uri:
            return ()
        names: dict[str, None] = {}
        end = time.monotonic() + seconds
        for search in SEARCHES:
            tactic = f"{where.steps}\n{search}" if where.steps else search
            left = max(0.0, end - time.monotonic())
            try:
                asked = self.lean.proposals(where.uri, where.text, where.point, tactic, left)
                names.update(dict.fromkeys(named(await asyncio.wait_for(asked, left))))
            except (LeanError, asyncio.TimeoutError):
                continue
        own = {*hypothesis_names(goal.text), where.point.declaration.name, where.point.declaration.short}
        wanted = [name for name in names if name not in own][:_CANDIDATES]
        return (await self._checked(where, wanted))[:count] if wanted else ()

    async def _checked(self, where: Whereabouts, names: Sequence[str]) -> tuple[Premise, ...]:
        """The names that mean something in front of the declaration, with their types."""
        # What is above is taken as given, as for checks, so that Lean keeps what it knows.
        above = self.lean.elided(where.uri, where.text, where.point)[: where.point.declaration.start] + _FILLER
        try:
            messages = await self.lean.messages(where.uri, above + "".join(f"#check {name}\n" for name in names))
        except LeanError:
            return ()
        first = above.count("\n")
        found: dict[str, Premise] = {}
        for each in messages:
            match = _NAME.match(each["message"]) if each.get("severity") == INFORMATION else None
            if match and place_of(each).line >= first:
                found.setdefault(match[1], Premise(match[1], f"theorem {each['message']}"))
        return tuple(found.values())


def named(proposals: Iterable[str]) -> list[str]:
    """The names in what searches propose, in the order they come, each once."""
    found = [match[1] for text in proposals for match in _NAME.finditer(_SCORE.sub("", text))]
    return [name for name in dict.fromkeys(found) if name not in _WORDS]
