"""Rules of the layout: what a token inside of a step opens, and what a `|` in the middle of a line means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from llmstep.lean.blocks import Block, BlockKind, Bracket, Frame, Item, outward
from llmstep.lean.step_words import (
    ALTERNATIVES,
    CASES,
    CHOICES,
    CONVERSIONS,
    DEFINING,
    KNOWN_STEPS,
    LEAVING,
    PATTERNS,
    SURE_STEPS,
)
from llmstep.lean.tokens import CLOSING, OPENING, Token

_BEHIND_A_TERM: Final = CLOSING | {'"', "'", "‹", "›", "»", "?", "!", "·"}


def arrows_ahead(tokens: Sequence[Token]) -> frozenset[int]:
    """Offsets of the `|` that are followed by `=>` on their line, with no `:=` or `;` between them."""
    found: set[int] = set()
    arrow = False
    outside: list[bool] = []
    for token in reversed(tokens):
        text = token.text
        if text == "=>":
            arrow = True
        elif text in {":=", ";"}:
            arrow = False
        elif text in CLOSING:
            outside.append(arrow)
            arrow = False
        elif text in OPENING:
            arrow = outside.pop() if outside else False
        elif text == "|" and arrow:
            found.add(token.start)
        if token.leads:
            arrow = False
            outside.clear()
    return frozenset(found)


def fields(tokens: Sequence[Token]) -> frozenset[int]:
    """Offsets of the tokens that begin a field of a structure, as `left := …` or `comm a b := …` on a line of its own.

    Their names may be those of tactics.
    """
    found: set[int] = set()
    first: Token | None = None
    for token in tokens:
        if token.leads:
            first = token if token.is_name and token.text not in DEFINING else None
        if first is not None and token.text == ":=":
            found.add(first.start)
        if not token.is_name:
            first = None
    return frozenset(found)


def opens_value(bar: Token, last: Token | None, after: Token | None) -> bool:
    """Whether `|` opens an absolute value: `= |x|`, `f |x|`, but not `exact h | exact k`."""
    if after is None or after.leads or after.text == "|":
        return False
    touches = after.start == bar.end
    if last is None or not (last.is_name or last.text[0].isdigit() or last.text[-1] in _BEHIND_A_TERM):
        return touches
    return touches and bar.start > last.end and after.text not in KNOWN_STEPS


def owner_of_bar(block: Block, *, arrow: bool) -> tuple[bool, Frame | None]:
    """The frame whose step a `|` belongs to, outward from the block that it stands in.

    Args:
        arrow: `=>` follows on the line, as it does behind the pattern of an alternative.

    Returns:
        Whether it ends what is inside of that frame, and the frame: None is that around all steps.
    """
    for frame in outward(block):
        if isinstance(frame, Bracket) or not frame.items:
            break
        item = frame.items[-1]
        if item.head in CHOICES:
            return True, frame
        if item.matches:
            return arrow or frame is block, frame
        if item.head in PATTERNS or (item.head in CASES and item.inner is None):
            break
        if frame.kind == "by" and frame.parent is None:
            return arrow and frame.inline, None
    return False, None


def opens_own_block(item: Item, token: Token, after: Token | None) -> bool:
    """Whether steps follow a token of a step of the project's own, its word or its `=>`, deeper on the next line."""
    below = after is not None and after.leads and after.column > item.first.indent and after.text in SURE_STEPS
    opens = token is item.first or (token.text == "=>" and item.inner is None)
    return below and opens and item.first.is_name and item.head not in KNOWN_STEPS


def opened_inside(token: Token, item: Item, *, in_value: bool) -> BlockKind | None:
    """The kind of the block that a token inside of a step opens; notes in the step what goes on behind the token.

    Args:
        in_value: The token is a `|` of an absolute value.
    """
    text, head = token.text, item.head
    if text == "=>":
        if (head in CASES and item.inner is None) or (head in LEAVING and item.block.converts):
            return "case"
        if head in ALTERNATIVES and item.bar is not None:
            return "alternative"
        if head in CONVERSIONS and item.inner is None:
            return "conv"
    elif text == "|":
        if head in CHOICES:
            return "combinator"
        if item.bar is None and not in_value:
            item.bar = token
    elif text in {"then", "else"} and head == "if":
        return "branch"
    elif text in {"fun", "λ", "with"} or (text == "match" and item.first is not token):
        item.matches = True
    return None
