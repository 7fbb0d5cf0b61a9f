"""Premises from Lean itself: what its own searches (`apply?`, `rw?`, `suggestions`) name at a goal, with their types.

The searches run in the shadow document at the place of the goal, and what they propose is read from their messages:
`Try this: exact Nat.le_of_lt h` names `Nat.le_of_lt`. Then `#check` says which of the names are constants, and their
types. `suggestions` is the tactic of Lean's library suggestions (4.26 and later), for files that have an engine for
them; where it is missing, as where a search finds nothing, the others are left.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs
from lsprotocol.types import Position

from llmstep.errors import LeanError
from llmstep.lean.prefilter import hypothesis_names
from llmstep.lean.text import position_at
from llmstep.lean.tokens import NAME
from llmstep.lean.workspace import LeanWorkspace
from llmstep.premises.source import Whereabouts
from llmstep.types import Goal, Premise

SEARCHES: Final = ("apply?", "rw?", "suggestions")
INFORMATION: Final = 3
_FILLER: Final = "example : True := trivial\n"
"""Takes the doc comment, or the `open … in`, that the declaration leaves behind."""
_CANDIDATES: Final = 64
"""Most names that `#check` is asked about."""

_SUGGESTS: Final = re.compile(r"^\s*(?:Try th(?:is|ese):|Library suggestions:|\[apply\]|•)", re.MULTILINE)
_REMARK: Final = re.compile(r"^\s*--.*$|Remaining (?:sub)?goals:[\s\S]*|\(score: .*$", re.MULTILINE)
_NAME: Final = re.compile(rf"(?<![\w.?«'!])@?({NAME})")
_WORDS: Final = frozenset(
    {"Try", "this", "these", "Library", "suggestions", "apply", "exact", "refine", "rw", "rewrite", "nth_rw", "erw"}
    | {"simp", "expose_names", "intro", "intros", "fun", "by", "at", "with", "from", "using", "show", "have"}
)
"""Words of messages and tactics."""


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
        text = self.lean.elided(where.uri, where.text, where.point)  # as for checks, so that Lean keeps what it knows
        names: dict[str, None] = {}
        end = time.monotonic() + seconds
        for search in SEARCHES:
            shadow = where.point.shadow_text(text, f"{where.steps}\n{search}" if where.steps else search)
            try:
                asked = self.lean.messages(where.uri, shadow.text)
                messages = await asyncio.wait_for(asked, max(0.0, end - time.monotonic()))
            except (LeanError, asyncio.TimeoutError):
                continue
            start = Position(shadow.end.line, 0) if where.steps else shadow.start
            said = [each["message"] for each in messages if _inside(each, start, shadow.end)]
            names.update(dict.fromkeys(named(said)))
        own = {*hypothesis_names(goal.text), where.point.declaration.name, where.point.declaration.short}
        wanted = [name for name in names if name not in own][:_CANDIDATES]
        return (await self._checked(where.uri, text[: where.point.declaration.start], wanted))[:count] if wanted else ()

    async def _checked(self, uri: str, before: str, names: Sequence[str]) -> tuple[Premise, ...]:
        """The names that mean something behind `before`, the text in front of the declaration, with their types."""
        before += _FILLER
        text = before + "".join(f"#check {name}\n" for name in names)
        first = position_at(text, len(before)).line
        try:
            messages = await self.lean.messages(uri, text)
        except LeanError:
            return ()
        answers = {
            each["range"]["start"]["line"] - first: str(each["message"])
            for each in messages
            if each.get("severity") == INFORMATION
        }
        found: dict[str, Premise] = {}
        for index in range(len(names)):
            signature = answers.get(index, "")
            match = _NAME.match(signature)
            if match:
                found.setdefault(match[1], Premise(match[1], f"theorem {signature}"))
        return tuple(found.values())


def named(messages: Iterable[str]) -> list[str]:
    """The names in what searches propose, in the order they come, each once."""
    found: dict[str, None] = {}
    for message in messages:
        if _SUGGESTS.search(message):
            for match in _NAME.finditer(_REMARK.sub("", message)):
                if match[1] not in _WORDS:
                    found[match[1]] = None
    return list(found)


def _inside(message: dict[str, Any], start: Position, end: Position) -> bool:
    """Whether an information stands at the search itself."""
    place = message["range"]["start"]
    at = (place["line"], place["character"])
    inside = (start.line, start.character) <= at <= (end.line, end.character)
    return inside and message.get("severity") == INFORMATION
