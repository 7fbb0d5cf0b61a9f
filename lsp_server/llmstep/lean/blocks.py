"""What a layout of tactic blocks is made of: blocks, their steps, brackets, and the words that matter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

from llmstep.lean import step_words as words

if TYPE_CHECKING:
    from llmstep.lean.tokens import Token

BlockKind = Literal["by", "bullet", "alternative", "case", "branch", "combinator", "paren", "conv"]


@attrs.define(eq=False)
class Item:
    """A step of a block, with all that belongs to it."""

    first: Token
    block: Block
    end: int
    """Offset behind its last token."""
    bar: Token | None = None
    """The `|` behind which a pattern stands whose `=>` is still to come."""
    barred: bool = False
    """A `|` that opens an absolute value was seen, and none that closes it."""
    matches: bool = False
    """A `fun` or a `with` was seen, to which the alternatives that follow belong."""
    inner: Block | None = None
    """The first block inside of it that is no term's."""
    unclosed: Bracket | None = None
    """The first bracket in it that stays open."""

    @property
    def start(self) -> int:
        return self.first.start

    @property
    def head(self) -> str:
        return self.first.text

    def opens_own_block(self, token: Token, after: Token | None) -> bool:
        """Whether it is a project's own step, and steps follow its word or its `=>`, deeper on the next line."""
        if after is None or not after.leads or after.column <= self.first.indent or after.text not in words.SURE_STEPS:
            return False
        opens = token is self.first or (token.text == "=>" and self.inner is None)
        return opens and self.first.is_name and self.head not in words.KNOWN_STEPS

    def opened_by(self, token: Token, *, in_value: bool) -> BlockKind | None:
        """The kind of the block that a token inside of it opens; notes what goes on behind the token.

        Args:
            in_value: The token is a `|` of an absolute value.
        """
        text, head = token.text, self.head
        if text == "=>":
            if (head in words.CASES and self.inner is None) or (head in words.LEAVING and self.block.converts):
                return "case"
            if head in words.ALTERNATIVES and self.bar is not None:
                return "alternative"
            if head in words.CONVERSIONS and self.inner is None:
                return "conv"
        elif text == "|":
            if head in words.CHOICES:
                return "combinator"
            if self.bar is None and not in_value:
                self.bar = token
        elif text in {"then", "else"} and head == "if":
            return "branch"
        elif text in {"fun", "λ", "with"} or (text == "match" and self.first is not token):
            self.matches = True
        return None


@attrs.define(eq=False, kw_only=True)
class _Frame:
    """What can be open around a token."""

    parent: Frame | None
    """What it is inside of."""
    owner: Item | None
    """The step that it belongs to."""
    depth: int = attrs.field(init=False)
    """Number of frames around it."""

    def __attrs_post_init__(self) -> None:
        self.depth = self.parent.depth + 1 if self.parent else 0


@attrs.define(eq=False)
class Bracket(_Frame):
    """A bracket."""

    token: Token
    holds_steps: bool
    column: int
    """Of what stands first in it."""
    close: Token | None = None


@attrs.define(eq=False)
class Block(_Frame):
    """A tactic block; the column of an empty one is its `hang`."""

    kind: BlockKind
    opener: Token
    column: int
    hang: int
    """Column of a first step on a line of its own."""
    bar: Token | None = None
    """The `|` in front of its opener, which an alternative begins with."""
    items: list[Item] = attrs.field(factory=list)
    end: int = -1
    """Offset of the token that ended it."""

    @property
    def mark(self) -> Token:
        """Where Lean says that goals are left: the bracket that ends it, or its opener."""
        bracket = self.parent if self.kind == "paren" else None
        return bracket.close if isinstance(bracket, Bracket) and bracket.close else self.opener

    @property
    def distributes(self) -> bool:
        """Its steps run several times, or on each of several goals."""
        return self.opener.text in words.DISTRIBUTING or (self.kind == "case" and self.bar is not None)

    @property
    def inline(self) -> bool:
        """Its first step stands on the line of its opener."""
        return bool(self.items) and not self.items[0].first.leads

    @property
    def converts(self) -> bool:
        """Its steps are steps of `conv`."""
        for frame in outward(self):
            if isinstance(frame, Block):
                if frame.kind == "conv":
                    return True
                if frame.kind == "by" or (frame.owner is not None and frame.owner.head in words.LEAVING):
                    return False
        return False

    def owner_of_bar(self, *, arrow: bool) -> tuple[bool, Frame | None]:
        """The frame, of it and those around it, whose step a `|` belongs to.

        Args:
            arrow: `=>` follows on the line, as it does behind the pattern of an alternative.

        Returns:
            Whether the `|` ends what is inside of that frame, and the frame: None is that around all steps.
        """
        for frame in outward(self):
            if isinstance(frame, Bracket) or not frame.items:
                break
            item = frame.items[-1]
            if item.head in words.CHOICES:
                return True, frame
            if item.matches:
                return arrow or frame is self, frame
            if item.head in words.PATTERNS or (item.head in words.CASES and item.inner is None):
                break
            if frame.kind == "by" and frame.parent is None:
                return arrow and frame.inline, None
        return False, None


Frame: TypeAlias = "Block | Bracket"


@attrs.frozen(eq=False)
class Word:
    """A token that a candidate may replace, with its surroundings."""

    token: Token
    frame: Frame | None
    item: Item | None
    before: Token | None
    after: Token | None

    @property
    def is_step(self) -> bool:
        return self.item is not None and self.item.first is self.token


def outward(frame: Frame | None) -> Iterator[Frame]:
    """A frame and what is around it, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.parent


def block_of(frame: Frame | None) -> Block | None:
    """The innermost block: a frame itself or one around it."""
    return next((each for each in outward(frame) if isinstance(each, Block)), None)


def begins_step(token: Token) -> bool:
    return (token.is_name and token.text not in words.NO_STEP) or token.text in {"·", ".", "(", "{"}
