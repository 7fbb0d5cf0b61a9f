"""Commands that a project has defined for itself: `problem`, `Statement`, any word at the margin that begins no step.

Text does not show them for sure. A word counts where what stands in front of it may end a command; Lean is asked
whether it does (`llmstep.lean.checker`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Final

from llmstep.lean.step_words import KNOWN_STEPS, NO_STEP, words

_GOING_ON: Final = sorted(NO_STEP | words("by fun λ and extends instance return finally catch calc"))
"""Words that go on with the command of the line before."""
_WORD: Final = r"[^\W\d][\w'!?.]*"
_OTHER_WORD: Final = rf"(?!(?:{'|'.join(_GOING_ON)})(?![\w'!?]))(?P<word>{_WORD})"
_BEHIND_IN: Final = re.compile(rf"[^\n]*?(?<![\w.])in[ \t]+{_OTHER_WORD}")
_DECLARES: Final = re.compile(rf"{_WORD}[ \t]+(?:[^\W\d]|[\"(\[{{«])[^\n]*(?:\n[ \t][^\n]*)*?:")
"""A name or binders follow, and a colon, before the next line without indentation."""
_NAMED: Final = re.compile(
    r"[^\W\d][\w'!?]*[ \t]+[^\W\d][\w'!?.]*[ \t]*(?:[({\[][^\n]{0,300})?:(?!=)[^\n]{0,300}:=[ \t]*by\b"
)
"""`problem name (binders) : … := by` on one line."""
_FIRST: Final = re.compile(_WORD)
_ENDING: Final = frozenset(")]}⟩»\"'!?›_`.⁻✝")
_LAST_WORD: Final = re.compile(r"[\w'!?]+\Z")
_UNFINISHED: Final = frozenset({"by", "fun", "λ", "with", "at", "from", "then", "else", "do", "using", "have", "show"})
MAX_DISTANCE: Final = 100_000
"""Characters that are searched on both sides of a cursor; longer proofs are not laid out."""


def own_commands(
    masked: str, start: int, end: int, margin: int, *, after_scope: bool = True
) -> Iterator[tuple[int, int]]:
    """The first word of each of a project's own commands between two known ones: its offsets.

    Args:
        start: Offset behind the keyword of a known command, or the start of the text.
        margin: Most blanks in front of such a word.
        after_scope: That keyword needs nothing behind it, as `end`, or there is none.
    """
    steps_at_margin = False  # of a proof in the style of old Lean
    for head in _heads(margin).finditer(masked, start, end):
        at, word = head.span("word"), head.group("word")
        before = _last_visible(masked, start, at[0])
        if word in KNOWN_STEPS:
            steps_at_margin = True
        elif _may_follow(masked, before, steps_at_margin, at[0]) if before >= start else after_scope:
            steps_at_margin = False
            yield at


@functools.lru_cache(maxsize=32)
def _heads(margin: int) -> re.Pattern[str]:
    return re.compile(rf"^\ufeff?[ \t]{{0,{margin}}}{_OTHER_WORD}", re.MULTILINE)


def word_behind_in(masked: str, offset: int) -> tuple[int, int] | None:
    """The word behind the `in` of the line at an offset, which may be a project's own command."""
    found = _BEHIND_IN.match(masked, offset)
    return found.span("word") if found else None


def begins_word(masked: str, offset: int) -> tuple[int, int] | None:
    """The word at an offset that may be a command's."""
    head = _FIRST.match(masked, offset)
    return head.span() if head and head.group() not in KNOWN_STEPS else None


def declares(line: str) -> bool:
    """Whether a line looks like the first one of a project's own declaration, however it is indented."""
    bare = line.lstrip()
    word = begins_word(bare, 0)
    return word is not None and _DECLARES.match(bare) is not None


def _may_follow(masked: str, before: int, steps_at_margin: bool, at: int) -> bool:
    """Whether a command may begin at an offset, behind the character at another."""
    character = masked[before]
    if not (character.isalnum() or character in _ENDING):
        return _NAMED.match(masked, at) is not None  # behind a line that is typed only in part
    last = _LAST_WORD.search(masked, max(0, before - 32), before + 1)
    unfinished = last is not None and last.group() in _UNFINISHED
    return _DECLARES.match(masked, at) is not None if steps_at_margin or unfinished else True


def _last_visible(masked: str, start: int, end: int) -> int:
    at = end - 1
    while at >= start and (masked[at].isspace() or masked[at] == "\ufeff"):
        at -= 1
    return at
