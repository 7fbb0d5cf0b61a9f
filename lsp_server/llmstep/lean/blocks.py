"""What a layout of tactic blocks is made of: blocks, their steps, brackets, and the words that matter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import attrs

from llmstep.lean.step_words import DISTRIBUTING, LEAVING, NO_STEP

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


@attrs.define(eq=False, kw_only=True)
class Frame:
    """What can be open around a token."""

    parent: Frame | None
    """What it is inside of."""
    owner: Item | None
    """The step that it belongs to."""
    depth: int = attrs.field(init=False)
    """Number of frames around it."""
    bracket: Bracket | None = attrs.field(init=False)
    """The innermost bracket around what is inside of it."""
    block: Block | None = attrs.field(init=False)
    """The innermost block around what is inside of it."""
    branch: Block | None = attrs.field(init=False)
    """The innermost branch of an `if` around what is inside of it, with no bracket between."""
    converts: bool = attrs.field(init=False)
    """What is inside of it are steps of `conv`."""

    def __attrs_post_init__(self) -> None:
        parent = self.parent
        self.depth = parent.depth + 1 if parent else 0
        self.bracket = self if isinstance(self, Bracket) else parent.bracket if parent else None
        self.block = self if isinstance(self, Block) else parent.block if parent else None
        self.branch = None
        self.converts = parent is not None and parent.converts
        if isinstance(self, Block):
            self.branch = self if self.kind == "branch" else parent.branch if parent else None
            leaves = self.kind == "by" or (self.owner is not None and self.owner.head in LEAVING)
            self.converts = self.kind == "conv" or (self.converts and not leaves)

    @property
    def outward(self) -> Iterator[Frame]:
        """The frames around it, innermost first."""
        frame = self.parent
        while frame is not None:
            yield frame
            frame = frame.parent


@attrs.define(eq=False)
class Bracket(Frame):
    """A bracket."""

    token: Token
    holds_steps: bool
    column: int
    """Of what stands first in it."""
    close: Token | None = None


@attrs.define(eq=False)
class Block(Frame):
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
    def frames(self) -> tuple[Block | Bracket, ...]:
        """What is open around it, outermost first."""
        return frames_of(self.parent)

    @property
    def mark(self) -> Token:
        """Where Lean says that goals are left: the bracket that ends it, or its opener."""
        bracket = self.parent if self.kind == "paren" else None
        return bracket.close if isinstance(bracket, Bracket) and bracket.close else self.opener

    @property
    def distributes(self) -> bool:
        """Its steps run several times, or on each of several goals."""
        return self.opener.text in DISTRIBUTING or (self.kind == "case" and self.bar is not None)

    @property
    def inline(self) -> bool:
        """Its first step stands on the line of its opener."""
        return bool(self.items) and not self.items[0].first.leads


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


def frames_of(frame: Frame | None) -> tuple[Block | Bracket, ...]:
    """A frame and what is around it, outermost first."""
    found: list[Block | Bracket] = []
    while frame is not None:
        assert isinstance(frame, Block | Bracket)
        found.append(frame)
        frame = frame.parent
    return tuple(reversed(found))


def begins_step(token: Token) -> bool:
    """Whether a step can begin with `token`."""
    return (token.is_name and token.text not in NO_STEP) or token.text in {"·", ".", "(", "{"}
