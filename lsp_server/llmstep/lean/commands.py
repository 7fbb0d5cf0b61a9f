"""Where the commands of a file begin, as far as text shows.

An editor's text changes at one place at a time. What was found in front of that place the last time is taken over.
"""

from __future__ import annotations

import bisect
import re
import sys
from typing import Final

import attrs

from llmstep.lean.step_words import words
from llmstep.lean.text import common_prefix

_MODIFIER_WORDS: Final = words("private protected public noncomputable unsafe partial nonrec local scoped meta")
PROVING: Final = words("theorem lemma example def abbrev instance irreducible_def")
"""Commands that may hold a proof."""
_ANYWHERE: Final = PROVING | words(
    "structure inductive coinductive class axiom opaque variable namespace section mutual end"
)
"""Commands that no line inside a proof can begin with, so that they count at any indentation."""
_AT_MARGIN: Final = words(
    "open universe set_option attribute export import module prelude include omit deriving initialize"
    " builtin_initialize register_option alias add_decl_doc run_cmd run_meta notation infix infixl infixr prefix"
    " postfix macro macro_rules syntax elab elab_rules declare_syntax_cat simproc grind_pattern proof_wanted"
    " library_note unif_hint"
)
"""Commands that may also be tactics, or names: they count where a line has no indentation."""

_ANYWHERE_WORD: Final = rf"(?:{'|'.join(sorted(_ANYWHERE))})(?![\w'!?.])"
_MARGIN_WORD: Final = rf"(?:{'|'.join(sorted(_AT_MARGIN))})(?![\w'!?])"
_MODIFIER: Final = rf"(?:{'|'.join(sorted(_MODIFIER_WORDS))})\s"
_HEAD: Final = re.compile(
    rf"^\ufeff?(?=([ \t]*))\1(?=@\[|{_MODIFIER}|{_ANYWHERE_WORD})|^\ufeff?(?=#\w|{_MARGIN_WORD})", re.MULTILINE
)
"""In front of a line that may begin a command. Its blanks are taken as a whole: no way is tried to part them."""
_PIECE: Final = 1 << 16
_PREFIX: Final = re.compile(rf"(?:{_MODIFIER}\s*)+")
_KEYWORD: Final = re.compile(rf"(?P<anywhere>{_ANYWHERE_WORD})|(?P<margin>{_MARGIN_WORD})")
_ATTRIBUTE: Final = re.compile(
    r"(?:@\[[^\[\]]{0,500}\]\s*)+|@\[[^\[\]]{0,500}(?:\[[^\[\]]{0,500}(?:\[[^\[\]]{0,500}\][^\[\]]{0,500}){0,20}\][^\[\]]{0,500}){0,20}\]"
)
"""Attributes, which may have brackets of their own, two deep."""
_BARE: Final = re.compile(r"(?:@\[\s*)+(?=@\[)")
"""Attributes that cannot end, since others begin in them."""
_MAX_ATTRIBUTE: Final = 2000
_SPACE: Final = re.compile(r"\s*")
_IN: Final = re.compile(rf"[^\n]*?(?<![\w.])in[ \t]+(?=@\[|{_MODIFIER}|{_ANYWHERE_WORD})")
"""`open … in` in front of a command on its line."""
_HOLDING: Final = frozenset({"open", "set_option", "include", "omit", "universe", "variable"})
"""Commands that may hold for the one behind `in` alone."""

SCOPES: Final = frozenset({"namespace", "section", "mutual", "end"})
_KEPT_TEXTS: Final = 4
_TRIES: Final = 16


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


def _next_head(masked: str, at: int) -> re.Match[str] | None:
    """Found piece by piece, each of whole lines, since no other thread runs while a search goes through a text."""
    while at < len(masked):
        end = masked.find("\n", at + _PIECE)
        end = len(masked) if end < 0 else end + 1
        if head := _HEAD.search(masked, at, end):
            return head
        at = end
    return None


def _scan(masked: str, before: tuple[Command, ...]) -> list[Command]:
    """The commands behind those that are known. What was read as a prefix is not read again."""
    found: list[Command] = []
    mutual = bool(before) and before[-1].mutual
    at = before[-1].end if before else 0
    while head := _next_head(masked, at):
        start = head.start() + head.group().startswith("\ufeff")
        behind = behind_prefix(masked, head.end())
        margin = head.end() - start
        keyword = _KEYWORD.match(masked, behind)
        word = (keyword and keyword.group("anywhere")) or ""
        if keyword and keyword.group() in _HOLDING and (holding := _IN.match(masked, keyword.end())):
            behind = behind_prefix(masked, holding.end())
            keyword = _KEYWORD.match(masked, behind)
            word = (keyword and keyword.group("anywhere")) or ""
        at = keyword.end() if keyword else max(head.end() + 2, behind)  # two: `@[` or `#` with a letter
        if not keyword and (bare := _BARE.match(masked, start)):
            at = bare.end()
        if not word and margin:
            continue  # words that count at the margin only, or a prefix of nothing
        if word in {"mutual", "end"}:
            mutual = word == "mutual"
        rest = ""
        if word in SCOPES:
            line = masked.find("\n", at)
            rest = masked[at:] if line < 0 else masked[at:line]
        found.append(Command(start, at, margin, word, rest, mutual))
    return found


def behind_prefix(masked: str, at: int) -> int:
    """Offset behind the attributes and modifiers at an offset."""
    while True:
        if masked.startswith("@[", at):
            end = _attribute_end(masked, at)
        elif prefix := _PREFIX.match(masked, at):
            end = prefix.end()
        else:
            end = None
        if end is None:
            return at
        space = _SPACE.match(masked, end)
        at = space.end() if space else end


def _attribute_end(masked: str, at: int, end: int = sys.maxsize) -> int | None:
    """Offset behind the attributes `@[…]` at an offset; None where their bracket stays open."""
    found = _ATTRIBUTE.match(masked, at, min(at + _MAX_ATTRIBUTE, end))
    return found.end() if found else None


def _still_there(masked: str, text: str, commands: tuple[Command, ...]) -> tuple[Command, ...]:
    """The commands of `text` that are surely those of `masked` as well, both being alike up to some place.

    They end with a command in front of another one, from which on all is searched again.
    """
    common = common_prefix(masked, text)
    last = bisect.bisect_right(commands, common, key=lambda command: command.start) - 1
    for number in range(last, max(0, last - _TRIES), -1):
        if _separate(masked, commands[number - 1].start, commands[number].start):
            return commands[:number]
    return ()


def _separate(masked: str, start: int, end: int) -> bool:
    """Whether what stands behind `end`, where a line begins, cannot change which commands are in front of it.

    It could where attributes or modifiers in front are still without their keyword, or an attribute is still open.

    Args:
        start: Offset of the command before.
    """
    attribute = masked.find("@[", max(0, end - _MAX_ATTRIBUTE), end)
    while attribute >= 0:
        closed = _attribute_end(masked, attribute, end)
        if closed is None or set(masked[closed:end].split()) <= _MODIFIER_WORDS:
            return False
        attribute = masked.find("@[", attribute + 2, end)
    before = masked[start:end].split()
    return bool(before) and before[-1] not in _MODIFIER_WORDS
