"""What a cursor stands in: the text, its declaration and blocks; and how an insertion point is made of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
from lsprotocol.types import DiagnosticSeverity

from llmstep.lean.blocks import Block, Bracket, Frame, Item, outward
from llmstep.lean.declaration import Declaration, circular_helpers, find_declaration
from llmstep.lean.insertion_point import CONV_PLACEHOLDER, InsertionKind, InsertionPoint
from llmstep.lean.layout import Layout
from llmstep.lean.masking import hidden
from llmstep.lean.step_words import CHOICES
from llmstep.lean.text import column_at, line_end, line_start, masked_text, offset_at, position_at
from llmstep.lean.tokens import OPENING, Token

if TYPE_CHECKING:
    from lsprotocol.types import Diagnostic, Position

UNSOLVED: Final = "unsolved goals"
HOLE: Final = "don't know how to synthesize placeholder"


@attrs.frozen(eq=False, slots=False)
class CursorContext:
    """A cursor in a declaration."""

    text: str
    masked: str
    offset: int
    declaration: Declaration
    layout: Layout
    unsolved: frozenset[int]
    """Offsets where diagnostics of unsolved goals start."""
    holes: frozenset[int]
    """Offsets of holes that Lean could not fill."""
    errors: frozenset[int]
    """Offsets where other errors start."""

    @classmethod
    def at(cls, text: str, position: Position, diagnostics: Sequence[Diagnostic]) -> CursorContext | None:
        """The cursor of a position; None outside of declarations that may hold a proof."""
        masked = masked_text(text)
        offset = offset_at(text, position)
        declaration = find_declaration(masked, offset)
        if declaration is None:
            return None
        layout = Layout(masked, declaration)
        if offset > layout.end:
            return None
        errors = [each for each in diagnostics if each.severity in {None, DiagnosticSeverity.Error}]
        unsolved, holes, all_errors = (_starts(text, errors, message) for message in (UNSOLVED, HOLE, ""))
        return cls(text, masked, offset, declaration, layout, unsolved, holes, all_errors - unsolved - holes)

    @functools.cached_property
    def line(self) -> tuple[int, int]:
        """Offsets of the start and the end of the cursor's line."""
        return line_start(self.text, self.offset), line_end(self.text, self.offset)

    @property
    def blanks(self) -> int:
        """Number of blanks that the cursor's line begins with; none where tabs hide which column is meant."""
        start, end = self.line
        line = self.text[start:end]
        blanks = line[: len(line) - len(line.lstrip())]
        return 0 if "\t" in blanks else len(blanks)

    def is_blank(self, start: int, end: int) -> bool:
        """Whether nothing but comments stands between two offsets."""
        return not self.masked[start:end].strip()

    def blank_after(self, offset: int) -> bool:
        return self.is_blank(offset, line_end(self.text, offset))

    def tokens_between(self, start: int, end: int) -> list[Token]:
        return [token for token in self.layout.tokens if start <= token.start < end]

    @functools.cached_property
    def last_token(self) -> Token | None:
        return next((token for token in reversed(self.layout.tokens) if token.end <= self.offset), None)

    @functools.cached_property
    def around(self) -> list[Block]:
        """The blocks that the cursor is in, innermost first."""
        blocks = [block for block in self.layout.blocks if block.opener.end <= self.offset <= block.end]
        return sorted(blocks, key=lambda block: block.depth, reverse=True)

    def ends_inside(self, item: Item) -> bool:
        """Whether a step ends in a block of its own, whose goals Lean shows at its end."""
        return any(each.end == item.end and item.start < each.start < item.end for each in self.layout.items)

    def is_unsolved(self, block: Block) -> bool:
        """Whether Lean says that goals are left at the end of a block."""
        return block.mark.start in self.unsolved

    def is_at(self, token: Token) -> bool:
        """Whether the cursor is in a token or at one of its ends."""
        return token.start <= self.offset <= token.end

    def is_among(self, token: Token) -> bool:
        """Whether a token may stand in one of several alternatives on a line, which begins with something else."""
        return token.margin != "|" and "|" in self.masked[line_start(self.text, token.start) : token.start]

    def step_before(self, block: Block) -> Item | None:
        """The last step of a block that begins in front of the cursor."""
        return next((item for item in reversed(block.items) if item.start < self.offset), None)

    def is_scope(self, block: Block) -> bool:
        """Whether a step beside the last one of `block` is meant to stand inside of it.

        A one-line `by` inside a step, the branch of a one-line `if`, and what follows `try` are finished: the next step
        follows the whole. Lean's word that goals are unsolved there changes that.
        """
        if self.is_unsolved(block):
            return True
        if block.kind == "combinator":
            return not block.inline and block.opener.text not in {"|", "<;>"}
        if block.kind == "by":
            return block.owner is None or not block.inline
        return block.kind != "branch" or not block.inline

    def comment_line(self) -> int | None:
        """Offset of the end of the line on which the comment ends that the cursor's line holds; None on other lines."""
        start, end = self.line
        if not self.is_blank(start, end):
            return None
        for each in hidden(self.text, self.last_token.end if self.last_token else self.declaration.body):
            if each.start >= end:
                break
            if each.end > start:
                return line_end(self.text, line_start(self.text, max(each.end, end)))
        return None

    @functools.cached_property
    def _helpers(self) -> frozenset[str]:
        return circular_helpers(self.layout.tokens, self.offset, self.declaration.short)

    def point(
        self,
        kind: InsertionKind,
        start: int,
        end: int,
        frame: Frame | None,
        *,
        anchors: Sequence[int],
        indent: int = 0,
        **more: Any,
    ) -> InsertionPoint:
        """An insertion point at `start` to `end` inside of a frame.

        Args:
            anchors: Offsets to ask for the goals at.
            indent: Column of the second and later lines of a candidate.
            more: Further fields of the insertion point.
        """
        rest, closers = self._behind(frame, end, kind is InsertionKind.TERM)
        behind = (more.get("tail") or self.masked[end : line_end(self.text, end)]).lstrip()
        column = column_at(self.text, start) + len(more.get("lead", ""))
        return InsertionPoint(
            *(kind, start, end, self.declaration),
            indent=" " * indent,
            anchors=tuple(position_at(self.text, anchor) for anchor in dict.fromkeys(anchors)),
            rest=rest,
            closers=closers,
            followed=column if behind.startswith((";", "|", "<;>")) else None,
            helpers=self._helpers,
            **more,
        )

    def block_point(self, kind: InsertionKind, start: int, end: int, block: Block, **more: Any) -> InsertionPoint:
        """An insertion point that belongs to a block."""
        more.setdefault("column", self._probe_column(block))
        more.setdefault("indent", block.column)
        if block.converts:
            more.setdefault("placeholder", CONV_PLACEHOLDER)
        distributed = _is_distributed(block)
        single = block.opener.text == "<;>"
        point = self.point(kind, start, end, block, single=single, distributed=distributed, **more)
        owner = block.owner
        if distributed and owner is not None and owner.head in CHOICES and end <= block.end < owner.end:
            last = max(point.rest[1], owner.end)  # the other alternatives are for the other goals
            return attrs.evolve(point, rest=(block.end, last), optional=True)
        return point

    def _probe_column(self, block: Block) -> int:
        """Column of the block whose goals show what a step of `block` leaves."""
        while block.kind == "combinator" and block.inline and block.owner is not None:
            block = block.owner.block
        return block.column

    def _behind(self, frame: Frame | None, end: int, in_term: bool) -> tuple[tuple[int, int], str]:
        """The text behind an insertion point that Lean needs to understand what is around it, or that closes brackets.

        Tactic blocks do without; terms and brackets do not.
        """
        frames = list(outward(frame))
        brackets = [each for each in frames if isinstance(each, Bracket)]
        if any(bracket.close is None for bracket in brackets):
            return (end, end), "".join(OPENING[bracket.token.text] for bracket in brackets)
        needing = [each for each in frames if self._needs_rest(each)]
        if not needing and not in_term:
            return self._helpers_behind(frames, end), ""
        inside = [] if in_term else frames[: frames.index(needing[0]) + 1]
        blocks = [each for each in inside if isinstance(each, Block)]
        start = max(blocks[-1].end, end) if blocks else end
        steps = (each.items[-1] for each in frames if isinstance(each, Block) and each.items)
        owner = needing[-1].owner if needing else next(steps, None)
        tokens = self.layout.tokens
        last = owner.end if owner else tokens[-1].end if tokens else end
        return (start, max(start, last)), ""

    def _helpers_behind(self, frames: Sequence[Frame], end: int) -> tuple[int, int]:
        """The `where` with helpers that the proof around an insertion point may use."""
        column = frames[-1].column if frames else 0
        for token in self.layout.tokens:
            if token.start >= end and token.leads and token.text == "where" and token.column <= column:
                return token.start, self.layout.tokens[-1].end
        return end, end

    def _needs_rest(self, frame: Frame) -> bool:
        if isinstance(frame, Bracket):
            return True
        if frame.kind == "branch":
            return frame.opener.text == "then"
        body = self.layout.body
        begins = body is not None and body.text == ":=" and self.is_blank(body.end, frame.opener.start)
        return frame.parent is None and not begins


def _is_distributed(block: Block) -> bool:
    """Whether a step of a block runs several times, or on each of several goals, of the proof that it is a part of."""
    for frame in outward(block):
        if isinstance(frame, Block):
            if frame.distributes:
                return True
            if frame.kind in {"by", "bullet", "alternative"}:
                return False
    return False


def _starts(text: str, diagnostics: Sequence[Diagnostic], message: str) -> frozenset[int]:
    return frozenset(
        offset_at(text, diagnostic.range.start)
        for diagnostic in diagnostics
        if isinstance(diagnostic.message, str) and diagnostic.message.removeprefix("error: ").startswith(message)
    )
