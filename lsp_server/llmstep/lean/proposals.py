"""The texts that Lean's searches propose ("Try this: …")."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import Final

_HEAD: Final = re.compile(r"\A(?:Try th(?:is|ese)|Library suggestions):[ \t]*")
_MARK: Final = re.compile(r"^[ \t]*(?:\[apply\]|•)[ \t]*", re.MULTILINE)
_REMARK: Final = re.compile(r"^[ \t]*--.*$|^[ \t]*Remaining (?:sub)?goals:[\s\S]*", re.MULTILINE)


def proposed(messages: Iterable[str]) -> list[str]:
    """The proposals of a search, best first, each once: `Try this:⏎  [apply] exact h` gives `exact h`."""
    found: dict[str, None] = {}
    for message in messages:
        head = _HEAD.match(message)
        if head is None:
            continue
        body = _REMARK.sub("", message[head.end() :])
        parts = _MARK.split(body)
        for part in parts[1:] if len(parts) > 1 else parts:
            text = _dedented(part)
            if text:
                found[text] = None
    return list(found)


def _dedented(text: str) -> str:
    """The lines of a proposal: the first at column 0, the others relative to the least of them but one step deeper."""
    first, _, rest = text.strip("\n").partition("\n")
    lower = textwrap.dedent(rest.rstrip())
    return first.strip() + ("\n" + textwrap.indent(lower, "  ") if lower.strip() else "")
