"""The declaration that holds a position, with its full name, as far as text shows."""

from __future__ import annotations

import re
from typing import Final

import attrs

from llmstep.lean.commands import PROVING, SCOPES, Command, find_commands
from llmstep.lean.own_commands import REACH, begins_word, own_commands
from llmstep.lean.text import column_at
from llmstep.lean.tokens import NAME

_AFTER_KEYWORD: Final = re.compile(rf"\s*(?:\(\s*priority\s*:=[^)]*\)\s*)?(?P<name>{NAME})?")


@attrs.frozen
class Declaration:
    """A command that may hold a proof: its extent in the text and its name."""

    start: int
    """Offset of its first line (after comments), attributes and modifiers included."""
    body: int
    """Offset behind its keyword."""
    end: int
    """Offset of the next command, or the end of the text."""
    column: int
    """Column that it starts at."""
    name: str
    """Full name; empty for an example or an instance without a name."""
    short: str
    """The name as written, without `_root_.`."""
    name_at: int = -1
    """Offset of that name in the text; -1 where there is none."""
    mutual: bool = False
    """It is one of several in a `mutual` block."""


def find_declaration(masked: str, offset: int) -> Declaration | None:
    """The declaration around `offset` in masked text; None between declarations and in other commands."""
    scopes: list[str] = []
    last: Command | None = None
    end = len(masked)
    for command in find_commands(masked):
        if command.start > offset:
            end = command.start
            break
        last = command
        if command.keyword in SCOPES:
            _enter(scopes, command)
    own, end = _own(masked, last, offset, end)
    if own is not None and offset < own[1]:
        return None
    if own is not None:
        return _declared(masked, own[0], own[1], end, scopes, mutual=last is not None and last.mutual)
    if last is None or last.keyword not in PROVING or offset < last.end:
        return None
    start = last.start + last.margin
    return _declared(masked, start, last.end, end, scopes, mutual=last.mutual, named=last.keyword != "example")


def _own(masked: str, last: Command | None, offset: int, end: int) -> tuple[tuple[int, int] | None, int]:
    """The project's own command around an offset, from its start to behind its word; and where what is there ends.

    Args:
        last: The known command in front of the offset.
        end: Offset of the known command behind it.
    """
    found: tuple[int, int] | None = None
    start = last.end if last else 0
    if last is not None and not last.keyword and masked[last.start] != "#":  # behind attributes or modifiers
        word = begins_word(masked, last.end)
        if word and word[0] > last.start and offset >= word[1]:
            found, start = (last.start, word[1]), word[1]
    after_scope = last is None or last.keyword in SCOPES
    for word in own_commands(masked, max(start, offset - REACH), min(end, offset + REACH), after_scope=after_scope):
        if word[0] > offset:
            return found, word[0]
        found = word
    return found, end


def _declared(
    masked: str, start: int, body: int, end: int, scopes: list[str], *, mutual: bool, named: bool = True
) -> Declaration:
    name = _AFTER_KEYWORD.match(masked, body)
    short = (name and name.group("name")) or ""
    if not named or short in {"where", "by", "from"}:
        short = ""
    column = column_at(masked, start)
    full = short.removeprefix("_root_.")
    if short and full == short:
        full = ".".join((*(scope for scope in scopes if scope), short))
    written = short.removeprefix("_root_.")
    name_at = name.end("name") - len(written) if name and written else -1
    return Declaration(start, body, end, column, full, written, name_at, mutual)


def _enter(scopes: list[str], command: Command) -> None:
    """Keeps the open namespaces, sections (as empty names) and mutual blocks."""
    keyword = command.keyword
    name = re.match(rf"[ \t]*({NAME})?", command.rest)
    parts = _components((name and name.group(1)) or "")
    if keyword == "namespace":
        scopes += parts
    elif keyword == "end":
        del scopes[max(0, len(scopes) - max(1, len(parts))) :]
    else:
        scopes += [""] * (max(1, len(parts)) if keyword == "section" else 1)


def _components(name: str) -> list[str]:
    return re.findall(r"«[^»]*»|[^.«]+", name)
