"""At which columns the first step of a block may stand, and at which it is meant to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmstep.lean.blocks import Block, begins_step

if TYPE_CHECKING:
    from llmstep.lean.blocks import BlockKind, Frame
    from llmstep.lean.tokens import Token

_PARTS_OF_TERMS: Final = frozenset({"have", "haveI", "let", "letI", "show", "suffices", "_"})
"""What begins a line of a term, so that what follows at its column is another part of the term."""


def is_left(token: Token, opener: Token, top: Frame | None, margin: int, calc: int) -> bool:
    """Whether a token at the start of a line stands too far left for the first step of a block.

    A block inside another one is indented deeper than that; a bracket lifts the limit. The steps of an old proof may
    stand at the column of the declaration.

    Args:
        opener: Opens the block.
        top: What it is inside of.
        margin: Column of the declaration.
        calc: Column of the steps of the last `calc` whose first stands on a line of its own.
    """
    if opener.text == "by" and token.column <= opener.indent:
        in_term = top is None and opener.margin in _PARTS_OF_TERMS and opener.margin != opener.text
        if in_term or opener.indent == calc:
            return True
    if top is None:
        return token.column < margin or (token.column == margin and not begins_step(token))
    return isinstance(top, Block) and token.column <= top.column


def hang_of(kind: BlockKind, opener: Token, top: Frame | None, margin: int, calc: int) -> int:
    """Column of the first step of a block that hangs below its opener.

    Args:
        top: What it is inside of.
        margin: Column of what holds the proof: the line of its opener, or the declaration.
        calc: See `is_left`.
    """
    if kind in {"bullet", "paren"}:
        return opener.column + (2 if kind == "bullet" else 1)
    outer = top.block.column if top and top.block else None
    bracket = top.bracket if top is not None else None
    if bracket is not None:
        hang = max(opener.indent, outer or 0) + 2
        in_fields = bracket.token.text == "{" and not bracket.holds_steps and hang < bracket.column
        return bracket.column + 2 if in_fields else hang  # no field may stand to the right of its steps
    if opener.margin in {"|", "_", "calc", "where"} or opener.indent == calc:
        return opener.hang
    return (margin if outer is None else outer) + 2
