"""A place in a text where a candidate goes: the edit that puts it there, and the document that lets Lean judge it."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable

import attrs
from lsprotocol.types import Position, TextEdit

from llmstep.lean.declaration import Declaration
from llmstep.lean.step import step_of
from llmstep.lean.text import digest, line_start, newline_of, position_at, range_at

PLACEHOLDER = "sorry"
"""What stands for a candidate when Lean is asked which goals it will face."""
CONV_PLACEHOLDER = "tactic => sorry"
"""The same inside of `conv`."""

_NEXT_TEXT = re.compile(r"[^\n]*\n?\s*[^\n]*")


class InsertionKind(enum.Enum):
    """What a candidate does to the text."""

    SORRY = "sorry"
    """Replaces a `sorry` that is a step."""
    TERM = "term"
    """Replaces a `sorry` or a hole inside a term by `by …`."""
    CALL = "call"
    """Replaces a call of the `llmstep` tactic, or of one that searches, as `exact?`."""
    LINE = "line"
    """Fills a blank line of a block."""
    BLOCK = "block"
    """Fills a block that has no step yet."""
    AFTER = "after"
    """Follows a step."""
    BEFORE = "before"
    """Goes in front of a step."""
    UNFINISHED = "unfinished"
    """Replaces a step that is typed only in part."""


@attrs.frozen
class ShadowText:
    """A document that ends with a candidate, and where to ask Lean about it."""

    text: str
    start: Position
    """Of the candidate's first character: the goals there are those that it faces."""
    end: Position
    """Behind the candidate."""
    probe: Position
    """On the blank line behind the candidate, at the column of its block: the goals there are those that it leaves."""
    whole: bool = True
    """It ends with a whole command, so that another may follow."""


@attrs.frozen
class InsertionPoint:
    """A place for a candidate. Offsets are into the text it was found in."""

    kind: InsertionKind
    start: int
    """Offset of what is replaced."""
    end: int
    """Offset behind what is replaced."""
    declaration: Declaration
    """The one around it."""
    lead: str = ""
    """Goes in front of the candidate."""
    tail: str = ""
    """Goes behind it."""
    indent: str = ""
    """Goes in front of each of its lines but the first."""
    prefix: str = ""
    """The candidate must begin with this: the argument of the `llmstep` call."""
    mends: bool = False
    """It is meant only where the step that it replaces fails."""
    anchors: tuple[Position, ...] = ()
    """Where in the text itself `$/lean/plainGoal` gives the goals, the best place first; none where no place does."""
    column: int | None = None
    """Column of the block it is in; None when the candidate begins one of its own."""
    long_lead: str | None = None
    """Goes in front of a candidate of several lines instead of `lead`."""
    single: bool = False
    """The place takes a single step: several get parentheses."""
    followed: int | None = None
    """Its column, where steps or alternatives follow on its line: a step that would take them in gets parentheses."""
    distributed: bool = False
    """The step runs on each of several goals (`<;>`, `all_goals`)."""
    optional: bool = False
    """Lean goes on with another alternative where the step fails (`<;> first | step | …`)."""
    rest: tuple[int, int] = (0, 0)
    """Offsets of the text behind the place that Lean needs to understand the brackets around it."""
    closers: str = ""
    """Closes the brackets around it that the text leaves open."""
    placeholder: str = PLACEHOLDER
    """What stands for a candidate when Lean is asked."""
    helpers: frozenset[str] = frozenset()
    """Names of what is declared inside of it, by `where` or `let rec`, that may rest on what stands at the place."""

    def moved(self, move: Callable[[int], int]) -> InsertionPoint:
        """The place in a text with other offsets."""
        rest = (move(self.rest[0]), move(self.rest[1]))
        declaration = self.declaration.moved(move)
        return attrs.evolve(self, start=move(self.start), end=move(self.end), rest=rest, declaration=declaration)

    def without_mark(self, text: str) -> tuple[str, InsertionPoint]:
        """The text without a byte order mark, which Lean does not read, and the same place in it."""
        if not text.startswith("\ufeff"):
            return text, self
        return text[1:], self.moved(lambda offset: offset - (offset > 0))

    def edit(self, text: str, candidate: str) -> TextEdit:
        """The edit that puts a candidate into the text, with its line breaks."""
        new, _, _ = self._filled(candidate)
        return TextEdit(range=range_at(text, self.start, self.end), new_text=new.replace("\n", newline_of(text)))

    def apply(self, text: str, candidate: str) -> str:
        """The whole text with the candidate in its place."""
        return text[: self.start] + self.edit(text, candidate).new_text + text[self.end :]

    def shadow(self, text: str, candidate: str) -> str:
        """The text of the shadow document of a candidate."""
        return self.shadow_text(text, candidate).text

    def shadow_text(self, text: str, candidate: str) -> ShadowText:
        """The text up to the place, the candidate, and nothing behind it but what closes the brackets around it."""
        new, begin, end = self._filled(candidate)
        start = self.start + begin
        body = text[: self.start] + new[:end]
        column = start - line_start(body, start) if self.column is None else self.column
        probe = body + "\n" + " " * column
        full = probe + self._rest(text, column)
        first, behind, ask = (position_at(full, offset) for offset in (start, len(body), len(probe)))
        return ShadowText(full, first, behind, ask, whole=not self.declaration.mutual)

    def key(self, text: str) -> str:
        """Identity of the place: kept by edits below the line behind it, lost by all others."""
        parts = (self.kind.value, str(self.start), self.lead, self.indent, text[: self.end], *self.behind(text))
        return digest("\0".join(parts))

    def behind(self, text: str) -> tuple[str, str]:
        """What stands behind the place and belongs to its identity: of its line and the next, and `rest`."""
        following = _NEXT_TEXT.match(text, self.end)
        return following.group().rstrip() if following else "", text[slice(*self.rest)]

    def _filled(self, candidate: str) -> tuple[str, int, int]:
        """The new text, and where in it the candidate begins and ends."""
        step = step_of(candidate)
        indent = self.indent
        lead = self.lead if self.long_lead is None or len(step.lines) == 1 else self.long_lead
        closing = ""
        if (self.single and step.has_several) or (self.followed is not None and step.goes_on):
            if self.followed is not None and lead is self.lead:
                indent = " " * self.followed
            lead, closing, indent = lead + "(", ")", indent + " "
        body = ("\n" + indent).join(step.lines)
        return lead + body + closing + self.tail, len(lead), len(lead) + len(body) + len(closing)

    def _rest(self, text: str, column: int) -> str:
        """The text behind, moved to the column it had, so that its own blocks stay aligned."""
        start, end = self.rest
        rest = text[start:end]
        if self.kind is InsertionKind.TERM and self.tail:
            rest, start = self.tail + rest, start - len(self.tail)
        if rest:
            old = max(0, start - line_start(text, max(start, 0)))
            rest = (" " * (old - column) if old > column else "\n" + " " * old) + rest
        return rest + (" " + self.closers if self.closers else "")
