"""Where the commands of a file begin, as far as text shows.

An editor's text changes at one place at a time. What was found in front of that place the last time is taken over.
"""

from __future__ import annotations

import bisect
import re
from typing import Final

import attrs

from llmstep.lean.text import common_prefix

_MODIFIER_WORDS: Final = (
    "private",
    "protected",
    "public",
    "noncomputable",
    "unsafe",
    "partial",
    "nonrec",
    "local",
    "scoped",
    "meta",
)
_MODIFIERS: Final = rf"(?:(?:{'|'.join(_MODIFIER_WORDS)})\s+)*"
_ATTRIBUTES: Final = r"(?:@\[[^\]]*\]\s*)*"
PROVING: Final = ("theorem", "lemma", "example", "def", "abbrev", "instance", "irreducible_def")
"""Commands that may hold a proof."""
_ANYWHERE: Final = (
    *PROVING,
    *(
        "structure",
        "inductive",
        "coinductive",
        "class",
        "axiom",
        "opaque",
        "variable",
        "namespace",
        "section",
        "mutual",
    ),
    "end",
)
"""Commands that no line inside a proof can begin with, so that they count at any indentation."""
_AT_MARGIN: Final = (
    *("open", "universe", "set_option", "attribute", "export", "import", "module", "prelude", "include", "omit"),
    *(
        "deriving",
        "initialize",
        "builtin_initialize",
        "register_option",
        "alias",
        "add_decl_doc",
        "run_cmd",
        "run_meta",
    ),
    *("notation", "infix", "infixl", "infixr", "prefix", "postfix", "macro", "macro_rules", "syntax", "elab"),
    *("elab_rules", "declare_syntax_cat", "simproc", "grind_pattern", "proof_wanted", "library_note", "unif_hint"),
)
"""Commands that may also be tactics, or names: they count where a line has no indentation."""

COMMAND: Final = re.compile(
    rf"""
    ^[ \t]*{_ATTRIBUTES}{_MODIFIERS}(?P<anywhere>{"|".join(_ANYWHERE)})(?![\w'!?.])
  | ^(?:{_ATTRIBUTES}{_MODIFIERS}(?P<margin>{"|".join(_AT_MARGIN)})(?![\w'!?]) | @\[ | \#\w )
    """,
    re.MULTILINE | re.VERBOSE,
)
SCOPES: Final = frozenset({"namespace", "section", "mutual", "end"})
_KEPT_TEXTS: Final = 4
_TRIES: Final = 16


@attrs.frozen
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


def _scan(masked: str, before: tuple[Command, ...]) -> list[Command]:
    """The commands behind those that are known."""
    found: list[Command] = []
    mutual = bool(before) and before[-1].mutual
    for match in COMMAND.finditer(masked, before[-1].end if before else 0):
        keyword = match.group("anywhere") or ""
        if keyword in {"mutual", "end"}:
            mutual = keyword == "mutual"
        rest = ""
        if keyword in SCOPES:
            line = masked.find("\n", match.end())
            rest = masked[match.end() :] if line < 0 else masked[match.end() : line]
        text = match.group()
        found.append(Command(match.start(), match.end(), len(text) - len(text.lstrip()), keyword, rest, mutual))
    return found


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
    attribute = masked.rfind("@[", 0, end)
    if attribute >= 0:
        closed = masked.find("]", attribute, end)
        if closed < 0 or set(masked[closed + 1 : end].split()) <= set(_MODIFIER_WORDS):
            return False
    return masked[start:end].split()[-1] not in _MODIFIER_WORDS
