"""The declaration that holds a position, with its full name, as far as text shows."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import attrs

from llmstep.lean.commands import (
    FOR_ONE,
    PROVING,
    SCOPES,
    Command,
    behind_prefix,
    find_commands,
    is_sure,
    own_command,
)
from llmstep.lean.text import column_at
from llmstep.lean.tokens import NAME, Token, outside

_PRIORITY: Final = re.compile(r"\s*(?:\(\s*priority\s*:=[^)]*\))?")
_NAME_OR_STRING: Final = re.compile(rf"\s*(?:(?P<name>{NAME})|\"[^\"]*\"|\d+)")
_WORD: Final = re.compile(r"#?[^\W\d][\w'!?.]*")
_NO_NAMES: Final = frozenset({"where", "by", "from", "in", "for", "of", "with"})
_SCOPE_NAME: Final = re.compile(rf"[ \t]*({NAME})")
_COMPONENT: Final = re.compile(r"«[^»]*»|[^.«]+")
_IN: Final = re.compile(r"(?<![\w.])in\b\s*")


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
    others: tuple[str, ...] = ()
    """Words behind that name, one of which may be the name where the command has several words."""
    mutual: bool = False
    """It is one of several in a `mutual` block."""
    unsure_from: int = -1
    """Offset of the last command that text shows for sure, where Lean has to say which command the position is in."""

    @property
    def known(self) -> int:
        """Offset up to which text shows for sure which commands there are."""
        return self.unsure_from if self.unsure_from >= 0 else self.start

    @property
    def name_span(self) -> tuple[int, int]:
        """Offsets of its name as written; where it has none, those behind its keyword."""
        start = self.name_at if self.name_at >= 0 else self.body
        return start, start + len(self.short)

    def moved(self, move: Callable[[int], int]) -> Declaration:
        """The declaration in a text with other offsets."""
        start, body, end, name_at, unsure_from = map(
            move, (self.start, self.body, self.end, self.name_at, self.unsure_from)
        )
        return attrs.evolve(self, start=start, body=body, end=end, name_at=name_at, unsure_from=unsure_from)


def find_declaration(masked: str, offset: int) -> Declaration | None:
    """The declaration around `offset` in masked text; None between declarations and in other commands."""
    commands = find_commands(masked)
    number = bisect.bisect_right(commands, offset, key=lambda command: command.start)
    last = commands[number - 1] if number else None
    end = commands[number].start if number < len(commands) else len(masked)
    own, end = own_command(masked, last, offset, end)
    unsure = own is not None or (last is not None and not is_sure(masked, last, offset))
    if own is not None:
        start, body = own
    elif last is not None and last.keyword in PROVING:
        start, body = last.start + last.margin, last.end
    else:
        return None
    if offset < body:
        return None
    named = own is not None or (last is not None and last.keyword != "example")
    found = _declared(masked, start, body, end, commands[:number], named=named)
    unsure_from = (last.start if last else 0) if unsure else -1
    return attrs.evolve(found, mutual=last is not None and last.mutual, unsure_from=unsure_from)


def declaration_from(masked: str, start: int, end: int) -> Declaration:
    """The declaration of a command that begins at an offset, as Lean says.

    Args:
        end: Offset of its end.
    """
    at = behind_prefix(masked, start)
    while (for_one := FOR_ONE.match(masked, at, end)) and (found := _IN.search(masked, for_one.end(), end)):
        at = behind_prefix(masked, found.end())
    word = _WORD.match(masked, at, end)
    body = word.end() if word else at
    above = [each for each in find_commands(masked) if each.start + each.margin < start]
    return _declared(masked, start, body, end, above, named=word is not None and word[0] != "example")


def _declared(masked: str, start: int, body: int, end: int, above: Iterable[Command], *, named: bool) -> Declaration:
    """The declaration between two offsets, with its name behind its keyword, below other commands."""
    names = list(_names(masked, body)) if named else []
    written, behind = names[0] if names else ("", 0)
    short = written.removeprefix("_root_.")
    full = ".".join((*filter(None, _scopes(masked, above)), short)) if short and short == written else short
    others = tuple(name for name, _ in names[1:])
    name_at = behind - len(short) if short else -1
    return Declaration(start, body, end, column_at(masked, start), full, short, name_at, others)


def _names(masked: str, at: int) -> Iterator[tuple[str, int]]:
    """The names between a keyword and what is no name, each with the offset behind it."""
    priority = _PRIORITY.match(masked, at)
    at = priority.end() if priority else at
    while found := _NAME_OR_STRING.match(masked, at):
        at, name = found.end(), found.group("name")
        if name and name not in _NO_NAMES:
            yield name, at


def _scopes(masked: str, commands: Iterable[Command]) -> list[str]:
    """The namespaces, sections (as empty names) and mutual blocks that are open behind commands."""
    scopes: list[str] = []
    for command in commands:
        if command.keyword not in SCOPES:
            continue
        name = _SCOPE_NAME.match(masked, command.end)
        parts = _COMPONENT.findall(name[1]) if name else []
        if command.keyword == "namespace":
            scopes += parts
        elif command.keyword == "end":
            del scopes[max(0, len(scopes) - max(1, len(parts))) :]
        else:
            scopes += [""] * (max(1, len(parts)) if command.keyword == "section" else 1)
    return scopes


def circular_helpers(tokens: Sequence[Token], offset: int, theorem: str) -> frozenset[str]:
    """The names of the helpers (`where f : … := …`, `let rec f …`) that may rest on what stands at an offset, or none.

    Lean shows no such name in a goal. They may where the offset is in one, or where one of them names the theorem.

    Args:
        tokens: Of the declaration.
        theorem: Its name as written; empty where it has none.
    """
    names: set[str] = set()
    circular = False
    own = theorem.rpartition(".")[2]
    column = -1
    for index, token in enumerate(tokens):
        before = tokens[index - 1].text if index else ""
        if before == "where":
            column = token.column
        local = before == "rec" and index > 1 and tokens[index - 2].text == "let"
        listed = before == "where" or (token.leads and token.column == column)
        if token.is_name and (local or listed) and _has_type(tokens, index):
            names.add(token.text)
            body = list(_hanging(tokens, index, token.indent if local else token.column))
            inside = bool(body) and token.start <= offset <= body[-1].end
            circular |= inside or any(own and own in each.text.split(".") for each in body)
    return frozenset(names) if circular else frozenset()


def _hanging(tokens: Sequence[Token], index: int, margin: int) -> Iterator[Token]:
    """The tokens behind one of them, up to the first line that begins at a column or to the left of it."""
    rest = itertools.islice(tokens, index + 1, None)
    return itertools.takewhile(lambda each: not each.leads or each.column > margin, rest)


def _has_type(tokens: Sequence[Token], index: int) -> bool:
    """Whether a name has a type or alternatives, as a helper has and the field of a structure has not."""
    behind = outside(itertools.islice(tokens, index + 1, None))
    return next((each.text for each in behind if each.text in {":=", ":", "|"}), ":=") != ":="
