"""What a `|` in the middle of a line means: a new alternative, a part of a pattern or of a term, an absolute value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmstep.lean.blocks import Block
from llmstep.lean.step_words import CASES, CHOICES, KNOWN_STEPS, PATTERNS
from llmstep.lean.tokens import CLOSING, OPENING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstep.lean.blocks import Frame
    from llmstep.lean.tokens import Token

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
    frame: Frame | None = block
    while isinstance(frame, Block) and frame.items:
        item = frame.items[-1]
        if item.head in CHOICES:
            return True, frame
        if item.matches:
            return arrow or frame is block, frame
        if item.head in PATTERNS or (item.head in CASES and item.inner is None):
            return False, None
        if frame.kind == "by" and frame.parent is None:
            return arrow and frame.inline, None
        frame = frame.parent
    return False, None
