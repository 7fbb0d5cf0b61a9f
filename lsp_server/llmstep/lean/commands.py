"""Where the commands of a file begin, as far as text shows.

An editor's text changes at one place at a time. What was found in front of that place the last time is taken over.

Text does not show for sure where a command begins that a project has defined for itself: `problem`, `Statement`, any
word at the margin that begins no step. A word counts where what stands in front of it may end a command; Lean is asked
whether it does (`llmstep.lean.checked_text`).
"""

from __future__ import annotations

import bisect
import functools
import re
from typing import Final

import attrs

from llmstep.lean.step_words import KNOWN_STEPS, NO_STEP, one_of, sets
from llmstep.lean.text import common_prefix

_WORDS: Final = sets("commands")
PROVING: Final = _WORDS["proving"]
SCOPES: Final = _WORDS["scopes"]
_ANYWHERE: Final = PROVING | _WORDS["anywhere"]

_ANYWHERE_WORD: Final = rf"(?:{one_of(_ANYWHERE)})(?![\w'!?.])"
_MARGIN_WORD: Final = rf"(?:{one_of(_WORDS['at_margin'])})(?![\w'!?])"
_MODIFIER: Final = rf"(?:{one_of(_WORDS['modifiers'])})\s"
_HEAD: Final = re.compile(
    rf"^\ufeff?(?:[ \t]*(?=[@a-z])(?=@\[|{_MODIFIER}|{_ANYWHERE_WORD})|(?=#\w|{_MARGIN_WORD}))", re.MULTILINE
)
"""In front of a line that may begin a command."""
_PREFIX: Final = re.compile(rf"{_MODIFIER}|@\[(?:[^\[\]]|\[(?:[^\[\]]|\[[^\[\]]*\])*\])*\]")
"""A modifier, or an attribute with brackets in brackets at most."""
_KEYWORD: Final = re.compile(rf"{_ANYWHERE_WORD}|{_MARGIN_WORD}")
_MAX_ATTRIBUTE: Final = 2000
_SPACE: Final = re.compile(r"\s*")
_IN: Final = re.compile(rf"[^\n]*?(?<![\w.])in[ \t]+(?=@\[|{_MODIFIER}|{_ANYWHERE_WORD})")
"""`open … in` in front of a command on its line."""
FOR_ONE: Final = re.compile(r"(?:open|set_option|variable|universe|include|omit|attribute)\b[^\S\n]")
"""A command that may hold for the one behind its `in` alone."""
_WORD: Final = r"[^\W\d][\w'!?.]*"
_OTHER_WORD: Final = rf"(?!(?:{one_of(NO_STEP | _WORDS['going_on'])})(?![\w'!?]))(?P<word>{_WORD})"
_BEHIND_IN: Final = re.compile(rf"[^\n]*?(?<![\w.])in[ \t]+{_OTHER_WORD}")
_DECLARES: Final = re.compile(rf"({_WORD})[ \t]+(?:[^\W\d]|[\"(\[{{«])[^\n]*(?:\n[ \t][^\n]*)*?:")
"""A name or binders follow, and a colon, before the next line without indentation."""
_NAMED: Final = re.compile(
    r"[^\W\d][\w'!?]*[ \t]+[^\W\d][\w'!?.]*[ \t]*(?:[({\[][^\n]{0,300})?:(?!=)[^\n]{0,300}:=[ \t]*by\b"
)
"""`problem name (binders) : … := by` on one line."""
_FIRST: Final = re.compile(_WORD)
_HASH: Final = re.compile(rf"#{_WORD}")
_HASHED: Final = re.compile(
    r"#(?:eval!?|check\w*|print|reduce|synth|guard\w*|exit|where|help|find|lint|html|widget|time|count_heartbeats"
    r"|simp|norm_num|version|import|conv|ring|push_neg|instances|long_names|redundant_imports|min_imports|trans_imports)"
    r"(?![\w'!?])"
)
"""Commands that hold no proof of their own."""
_INDENTED: Final = re.compile(r"\n([ \t]*)(?=\S)")
_ENDING: Final = frozenset(")]}⟩»\"'!?›_`.⁻✝")
_LAST_WORD: Final = re.compile(r"[\w'!?]+\Z")
_MAX_DISTANCE: Final = 100_000
"""Characters that are searched on both sides of a cursor; longer proofs are not laid out."""
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
    kept: tuple[Command, ...] = ()
    for text, commands in known:
        common = common_prefix(masked, text)
        surely = commands[: bisect.bisect_right(commands, common, key=lambda command: command.read)]
        kept = max(kept, surely, key=len)
    found = (*kept, *_scan(masked, kept))
    _recent[:] = [(masked, found), *known[: _KEPT_TEXTS - 1]]
    return found


def _scan(masked: str, before: tuple[Command, ...]) -> list[Command]:
    """The commands behind those that are known. What was read as a prefix is not read again."""
    found: list[Command] = []
    at, mutual, read = (before[-1].end, before[-1].mutual, before[-1].read) if before else (0, False, 0)
    while head := _HEAD.search(masked, at):
        start = head.start() + head.group().startswith("\ufeff")
        margin = head.end() - start
        behind = behind_prefix(masked, head.end())
        keyword = _KEYWORD.match(masked, behind)
        if keyword and keyword.group() in _WORDS["holding"] and (holding := _IN.match(masked, keyword.end())):
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
        found.append(Command(start, at, margin, word, mutual, read))
    return found


def behind_prefix(masked: str, at: int) -> int:
    """Offset behind the attributes and modifiers at an offset."""
    while prefix := _PREFIX.match(masked, at, at + _MAX_ATTRIBUTE):
        space = _SPACE.match(masked, prefix.end())
        at = space.end() if space else prefix.end()
    return at


def own_command(masked: str, last: Command | None, offset: int, end: int) -> tuple[tuple[int, int] | None, int]:
    """The project's own command around an offset, from its start to behind its word; and where what is there ends.

    Args:
        last: The known command in front of the offset.
        end: Offset of the known command behind it.
    """
    found: tuple[int, int] | None = None
    start = last.end if last else 0
    word = _own_word(masked, last) if last and last.keyword not in PROVING else None
    if last and word and offset >= word[1]:
        found, start = (last.start + last.margin, word[1]), word[1]
    margin, after_scope = last.margin if last else 0, last is None or last.keyword in SCOPES
    if after_scope:
        line = _INDENTED.search(masked, start, end)
        margin = len(line[1]) if line else 0
    begin = max(start, offset - _MAX_DISTANCE)
    steps_at_margin = False  # of a proof in the style of old Lean
    for head in _heads(margin).finditer(masked, begin, min(end, offset + _MAX_DISTANCE)):
        at = head.start("word")
        before = at - 1
        while before >= begin and (masked[before].isspace() or masked[before] == "\ufeff"):
            before -= 1
        if head["word"] in KNOWN_STEPS:
            steps_at_margin = True
        elif _may_follow(masked, before, steps_at_margin, at) if before >= begin else after_scope:
            steps_at_margin = False
            if at > offset:
                return found, at
            found = head.span("word")
    return found, end


def is_sure(masked: str, command: Command, offset: int) -> bool:
    """Whether no line between a command and an offset may begin another command.

    Such a line begins as far to the left as the command, or looks like a declaration.
    """
    start = masked.find("\n", command.end, offset)
    lines = masked[start + 1 : offset].split("\n") if start >= 0 else []
    return not any(_may_begin(line, command.margin) for line in lines if line.strip())


def _may_begin(line: str, margin: int) -> bool:
    bare = line.lstrip()
    declares = _DECLARES.match(bare)
    return len(line) - len(bare) <= margin or (declares is not None and declares[1] not in KNOWN_STEPS)


def _own_word(masked: str, command: Command) -> tuple[int, int] | None:
    """The word of a project's own command behind attributes, modifiers or `… in`, or behind `#`."""
    if masked[command.start] == "#":
        word = _HASH.match(masked, command.start)
        return None if word is None or _HASHED.match(masked, command.start) else word.span()
    word = None if command.keyword else _FIRST.match(masked, command.end)
    if word and word[0] not in KNOWN_STEPS:
        return word.span()
    behind = _BEHIND_IN.match(masked, command.end) if FOR_ONE.match(masked, command.start + command.margin) else None
    return behind.span("word") if behind else None


@functools.lru_cache(maxsize=32)
def _heads(margin: int) -> re.Pattern[str]:
    return re.compile(rf"^\ufeff?[ \t]{{0,{margin}}}{_OTHER_WORD}", re.MULTILINE)


def _may_follow(masked: str, before: int, steps_at_margin: bool, at: int) -> bool:
    """Whether a command may begin at an offset, behind the character at another."""
    character = masked[before]
    if not (character.isalnum() or character in _ENDING):
        return _NAMED.match(masked, at) is not None  # behind a line that is typed only in part
    last = _LAST_WORD.search(masked, max(0, before - 32), before + 1)
    unfinished = last is not None and last[0] in _WORDS["unfinished"]
    return _DECLARES.match(masked, at) is not None if steps_at_margin or unfinished else True
