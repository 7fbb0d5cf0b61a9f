"""Commands that a project has defined for itself: `problem`, `Statement`, any word at the margin that begins no step.

Text does not show them for sure. A word counts where what stands in front of it may end a command; Lean is asked
whether it does (`llmstep.lean.checker`).
"""

from __future__ import annotations

import functools
import re
from typing import Final

from llmstep.lean.commands import FOR_ONE, PROVING, SCOPES, WORDS, Command
from llmstep.lean.step_words import KNOWN_STEPS, NO_STEP, one_of

_WORD: Final = r"[^\W\d][\w'!?.]*"
_OTHER_WORD: Final = rf"(?!(?:{one_of(NO_STEP | WORDS['going_on'])})(?![\w'!?]))(?P<word>{_WORD})"
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
    unfinished = last is not None and last[0] in WORDS["unfinished"]
    return _DECLARES.match(masked, at) is not None if steps_at_margin or unfinished else True
