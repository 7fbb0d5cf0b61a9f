"""The declaration that holds a position, with its full name, as far as text shows."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import attrs

from llmstep.lean.commands import PROVING, SCOPES, Command, behind_prefix, find_commands
from llmstep.lean.own_commands import MAX_DISTANCE, begins_word, declares, own_commands, word_behind_in
from llmstep.lean.text import column_at
from llmstep.lean.tokens import NAME, Token, outside

_PRIORITY: Final = re.compile(r"\s*(?:\(\s*priority\s*:=[^)]*\))?")
_NAME_OR_STRING: Final = re.compile(rf"\s*(?:(?P<name>{NAME})|\"[^\"]*\"|\d+)")
_WORD: Final = re.compile(r"#?[^\W\d][\w'!?.]*")
_NO_NAMES: Final = frozenset({"where", "by", "from", "in", "for", "of", "with"})
_SCOPE_NAME: Final = re.compile(rf"[ \t]*({NAME})")
_COMPONENT: Final = re.compile(r"«[^»]*»|[^.«]+")
_INDENTED: Final = re.compile(r"\n([ \t]*)(?=\S)")
_FOR_ONE: Final = re.compile(r"(?:open|set_option|variable|universe|include|omit|attribute)\b[^\S\n]")
_IN: Final = re.compile(r"(?<![\w.])in\b\s*")
_HASHED: Final = re.compile(
    r"#(?:eval!?|check\w*|print|reduce|synth|guard\w*|exit|where|help|find|lint|html|widget|time|count_heartbeats"
    r"|simp|norm_num|version|import|conv|ring|push_neg|instances|long_names|redundant_imports|min_imports|trans_imports)"
    r"(?![\w'!?])"
)
"""Commands that hold no proof of their own."""


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
    scopes = _scopes(commands[:number])
    last = commands[number - 1] if number else None
    end = commands[number].start if number < len(commands) else len(masked)
    own, end = _own(masked, last, offset, end)
    if own is not None and offset < own[1]:
        return None
    known = last.start if last else 0
    mutual = last is not None and last.mutual
    if own is not None:
        return _declared(masked, own[0], own[1], end, scopes, mutual=mutual, unsure_from=known)
    if last is None or last.keyword not in PROVING or offset < last.end:
        return None
    start = last.start + last.margin
    named = last.keyword != "example"
    unsure_from = -1 if _is_sure(masked, last, offset) else known
    return _declared(masked, start, last.end, end, scopes, mutual=mutual, named=named, unsure_from=unsure_from)


def declaration_from(masked: str, start: int, end: int) -> Declaration:
    """The declaration of a command that begins at an offset, as Lean says.

    Args:
        end: Offset of its end.
    """
    scopes = _scopes(each for each in find_commands(masked) if each.start + each.margin < start)
    at = behind_prefix(masked, start)
    while (for_one := _FOR_ONE.match(masked, at, end)) and (found := _IN.search(masked, for_one.end(), end)):
        at = behind_prefix(masked, found.end())
    word = _WORD.match(masked, at, end)
    named = word is not None and word.group() != "example"
    body = word.end() if word else at
    return _declared(masked, start, body, end, scopes, named=named)


def _own(masked: str, last: Command | None, offset: int, end: int) -> tuple[tuple[int, int] | None, int]:
    """The project's own command around an offset, from its start to behind its word; and where what is there ends.

    Args:
        last: The known command in front of the offset.
        end: Offset of the known command behind it.
    """
    found: tuple[int, int] | None = None
    start = last.end if last else 0
    if last is not None and last.keyword not in PROVING:
        word = _own_word(masked, last)
        if word and word[0] >= last.start and offset >= word[1]:
            found, start = (last.start + last.margin, word[1]), word[1]
    after_scope = last is None or last.keyword in SCOPES
    margin = _first_column(masked, start, end) if after_scope else last.margin if last else 0
    words = own_commands(
        masked, max(start, offset - MAX_DISTANCE), min(end, offset + MAX_DISTANCE), margin, after_scope=after_scope
    )
    for word in words:
        if word[0] > offset:
            return found, word[0]
        found = word
    return found, end


def _own_word(masked: str, command: Command) -> tuple[int, int] | None:
    """The word of a project's own command behind attributes, modifiers or `… in`, or behind `#`."""
    if masked[command.start] == "#":
        word = _WORD.match(masked, command.start)
        return None if word is None or _HASHED.match(masked, command.start) else word.span()
    if not command.keyword and (word_at := begins_word(masked, command.end)):
        return word_at
    return word_behind_in(masked, command.end) if _FOR_ONE.match(masked, command.start + command.margin) else None


def _first_column(masked: str, start: int, end: int) -> int:
    """The column of the first line with text behind the line of an offset."""
    line = _INDENTED.search(masked, start, end)
    return len(line[1]) if line else 0


def _is_sure(masked: str, command: Command, offset: int) -> bool:
    """Whether no line between a command and an offset may begin another command.

    Such a line begins as far to the left as the command, or looks like a declaration.
    """
    start = masked.find("\n", command.end, offset)
    lines = masked[start + 1 : offset].split("\n") if start >= 0 else []
    return not any(_begins_command(line, command.margin) for line in lines if line.strip())


def _begins_command(line: str, margin: int) -> bool:
    return len(line) - len(line.lstrip()) <= margin or declares(line)


def _declared(
    masked: str,
    start: int,
    body: int,
    end: int,
    scopes: list[str],
    *,
    mutual: bool = False,
    named: bool = True,
    unsure_from: int = -1,
) -> Declaration:
    names = list(_names(masked, body)) if named else []
    short, behind = names[0] if names else ("", 0)
    others = tuple(name for name, _ in names[1:])
    column = column_at(masked, start)
    full = short.removeprefix("_root_.")
    if short and full == short:
        full = ".".join((*(scope for scope in scopes if scope), short))
    written = short.removeprefix("_root_.")
    name_at = behind - len(written) if written else -1
    return Declaration(start, body, end, column, full, written, name_at, others, mutual, unsure_from)


def _names(masked: str, at: int) -> Iterator[tuple[str, int]]:
    """The names between a keyword and what is no name, each with the offset behind it."""
    priority = _PRIORITY.match(masked, at)
    at = priority.end() if priority else at
    while found := _NAME_OR_STRING.match(masked, at):
        at, name = found.end(), found.group("name")
        if name and name not in _NO_NAMES:
            yield name, at


def _scopes(commands: Iterable[Command]) -> list[str]:
    """The namespaces, sections (as empty names) and mutual blocks that are open behind commands."""
    scopes: list[str] = []
    for command in commands:
        if command.keyword not in SCOPES:
            continue
        name = _SCOPE_NAME.match(command.rest)
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
