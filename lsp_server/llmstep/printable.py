"""Text from elsewhere (models, Lean, files, servers) made fit for a terminal and for an editor's labels."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, Final

_KEPT: Final = frozenset("\n\t ")
_UNSEEN: Final = frozenset(
    map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2800, 0x3164, 0xFFA0))
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
"""Characters of harmless kinds that show nothing."""
_BAD_KINDS: Final = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp", "Zs"})
_DOUBTFUL: Final = re.compile(r"[^\n\t -~]")


def is_strange(character: str) -> bool:
    """Whether a character controls a terminal, turns the direction of text, is no character, or shows nothing."""
    if character in _KEPT:
        return False
    return unicodedata.category(character) in _BAD_KINDS or character in _UNSEEN


def strange_character(text: str) -> str | None:
    """The first strange character of a text, as `U+202E`; None where there is none."""
    for match in _DOUBTFUL.finditer(text):
        if is_strange(match.group()):
            return f"U+{ord(match.group()):04X}"
    return None


def printable(text: str) -> str:
    """`text` with every strange character written out, as in `\\x1b`; line breaks and tabs stay."""
    return _DOUBTFUL.sub(_written, text)


def json_text(record: Any) -> str:
    """A value as JSON for people and programs: letters of all scripts as they are, strange characters escaped."""
    shown = json.dumps(record, ensure_ascii=False, indent=2)
    return _DOUBTFUL.sub(lambda match: json.dumps(match[0])[1:-1] if is_strange(match[0]) else match[0], shown)


def counted(number: int, noun: str) -> str:
    """`1 goal`, `2 goals`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _written(match: re.Match[str]) -> str:
    character = match.group()
    return character.encode("unicode_escape").decode("ascii") if is_strange(character) else character
