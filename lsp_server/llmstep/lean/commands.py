"""Where the commands of a file begin, as far as text shows.

An editor's text changes at one place at a time. What was found in front of that place the last time is taken over.
"""

from __future__ import annotations

import bisect
import re
from typing import Final

import attrs

from llmstep.lean.step_words import one_of, sets
from llmstep.lean.text import common_prefix

WORDS: Final = sets("commands")
PROVING: Final = WORDS["proving"]
SCOPES: Final = WORDS["scopes"]
_ANYWHERE: Final = PROVING | WORDS["anywhere"]

_ANYWHERE_WORD: Final = rf"(?:{one_of(_ANYWHERE)})(?![\w'!?.])"
_MARGIN_WORD: Final = rf"(?:{one_of(WORDS['at_margin'])})(?![\w'!?])"
_MODIFIER: Final = rf"(?:{one_of(WORDS['modifiers'])})\s"
_HEAD: Final = re.compile(
    rf"^\ufeff?[ \t]*+(?=@\[|{_MODIFIER}|{_ANYWHERE_WORD})|^\ufeff?(?=#\w|{_MARGIN_WORD})", re.MULTILINE
)
"""In front of a line that may begin a command."""
_PREFIX: Final = re.compile(rf"(?:{_MODIFIER}\s*)+")
_KEYWORD: Final = re.compile(rf"{_ANYWHERE_WORD}|{_MARGIN_WORD}")
_SQUARE: Final = re.compile(r"[\[\]]")
_MAX_ATTRIBUTE: Final = 2000
_DEEPEST: Final = 3
"""Most brackets inside of one another in an attribute."""
_SPACE: Final = re.compile(r"\s*")
_IN: Final = re.compile(rf"[^\n]*?(?<![\w.])in[ \t]+(?=@\[|{_MODIFIER}|{_ANYWHERE_WORD})")
"""`open … in` in front of a command on its line."""
FOR_ONE: Final = re.compile(r"(?:open|set_option|variable|universe|include|omit|attribute)\b[^\S\n]")
"""A command that may hold for the one behind its `in` alone."""
_KEPT_TEXTS: Final = 4


@attrs.define
class Command:
    """A command of masked text, up to its keyword."""

    start: int
    """Offset of its first line, attributes and modifiers included."""
    end: int
    """Offset behind its keyword."""
    margin: int
    """Number of blanks that it begins with."""
    keyword: str
    """Empty for commands that count at the margin only."""
    rest: str
    """What follows on its line, of those that open or end a scope."""
    mutual: bool
    """It stands in a `mutual` block, or begins one."""
    read: int
    """Offset in front of which all stands that decides about it and those above: an edit behind leaves them."""


_recent: list[tuple[str, tuple[Command, ...]]] = []
"""The last texts and what was found in them, the latest first."""


def find_commands(masked: str) -> tuple[Command, ...]:
    """The commands of masked text (see `llmstep.lean.text.mask`), in their order."""
    known = list(_recent)  # other threads may change it
    for text, commands in known:
        if text == masked:
            return commands
    kept = max((_still_there(masked, *each) for each in known), key=len, default=())
    found = (*kept, *_scan(masked, kept))
    _recent[:] = [(masked, found), *known[: _KEPT_TEXTS - 1]]
    return found


def _still_there(masked: str, text: str, commands: tuple[Command, ...]) -> tuple[Command, ...]:
    """The commands of `text` that are surely those of `masked` as well, both being alike up to some place."""
    common = common_prefix(masked, text)
    return commands[: bisect.bisect_right(commands, common, key=lambda command: command.read)]


def _scan(masked: str, before: tuple[Command, ...]) -> list[Command]:
    """The commands behind those that are known. What was read as a prefix is not read again."""
    found: list[Command] = []
    at, mutual, read = (before[-1].end, before[-1].mutual, before[-1].read) if before else (0, False, 0)
    while head := _HEAD.search(masked, at):
        start = head.start() + head.group().startswith("\ufeff")
        margin = head.end() - start
        behind = behind_prefix(masked, head.end())
        keyword = _KEYWORD.match(masked, behind)
        if keyword and keyword.group() in WORDS["holding"] and (holding := _IN.match(masked, keyword.end())):
            behind = behind_prefix(masked, holding.end())
            keyword = _KEYWORD.match(masked, behind)
        at = keyword.end() if keyword else max(head.end() + 2, behind)  # two: `@[` or `#` with a letter
        line = masked.find("\n", at)
        line = len(masked) if line < 0 else line
        read = max(read, line + 1, behind + _MAX_ATTRIBUTE if masked.startswith("@[", behind) else 0)
        word = keyword.group() if keyword and keyword.group() in _ANYWHERE else ""
        if not word and margin:
            continue  # words that count at the margin only, or a prefix of nothing
        if word in {"mutual", "end"}:
            mutual = word == "mutual"
        rest = masked[at:line] if word in SCOPES else ""
        found.append(Command(start, at, margin, word, rest, mutual, read))
    return found


def behind_prefix(masked: str, at: int) -> int:
    """Offset behind the attributes and modifiers at an offset."""
    while True:
        if masked.startswith("@[", at):
            end = _attribute_end(masked, at)
        else:
            prefix = _PREFIX.match(masked, at)
            end = prefix.end() if prefix else None
        if end is None:
            return at
        space = _SPACE.match(masked, end)
        at = space.end() if space else end


def _attribute_end(masked: str, at: int) -> int | None:
    """Offset behind the attribute `@[…]` at an offset; None where its bracket stays open."""
    depth = 0
    for bracket in _SQUARE.finditer(masked, at, at + _MAX_ATTRIBUTE):
        depth += 1 if bracket.group() == "[" else -1
        if not 0 < depth <= _DEEPEST:
            return None if depth else bracket.end()
    return None
