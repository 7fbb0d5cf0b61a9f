"""The text of a candidate, made fit for the place it goes to."""

from __future__ import annotations

import re

from llmstep.lean.blocks import ALTERNATIVES, CASES, COMBINATORS, SURE_STEPS, begins_step
from llmstep.lean.text import mask
from llmstep.lean.tokens import tokenize
from llmstep.printable import strange_character

_STEPS = (
    SURE_STEPS | CASES | COMBINATORS | ALTERNATIVES | {"have", "show", "let", "exists", "use", "left", "right", "rfl"}
)
_OPEN_END = re.compile(r"(?:\b(?:by|with|from|then|else|at|using|calc|do)|:=|=>|<;>|[,(\[{⟨;·|∧∨↔→=+*<$-]|\bfun)$")
_TAB = 2


def step_lines(candidate: str) -> list[str]:
    """The lines of a candidate: the first at column 0, the others indented relative to it.

    Tabs become blanks, blank lines and blanks at line ends go, and so does a comment that ends the text. Where the
    lines were cut out of a block, so that the first has lost its indentation, the others lose the same.
    """
    text = _without_last_comment(candidate.replace("\r\n", "\n").replace("\r", "\n").expandtabs(_TAB))
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    if not lines:
        return [""]
    shift = _width(lines[0])
    rest = [_width(line) for line in lines[1:]]
    if shift == 0 and rest and _lost_indentation(lines):
        shift = rest[0]
    return [lines[0].lstrip()] + [" " * max(0, _width(line) - shift) + line.lstrip() for line in lines[1:]]


def inserted(candidate: str) -> str:
    """What an edit inserts of a candidate, its indentation aside: two with the same are one.

    One with a strange character, which is refused for it, is like no other.
    """
    return candidate if strange_character(candidate.replace("\r\n", "\n")) else "\n".join(step_lines(candidate))


def several_steps(lines: list[str]) -> bool:
    """Whether the lines hold more than one step, so that behind `<;>` they need parentheses."""
    masked = mask("\n".join(lines))
    depth = 0
    for index, token in enumerate(tokenize(masked, 0, len(masked))):
        depth += (token.text in "([{⟨") - (token.text in ")]}⟩")
        if depth == 0 and index and (token.text == ";" or (token.leads and token.column == 0 and begins_step(token))):
            return True
    return False


def _width(line: str) -> int:
    return len(line) - len(line.lstrip())


def _lost_indentation(lines: list[str]) -> bool:
    """The second line is a step of the same block as the first, though it is indented."""
    least = min(_width(line) for line in lines[1:])
    if least == 0 or least != _width(lines[1]) or _OPEN_END.search(mask(lines[0]).rstrip()):
        return False
    word = re.match(r"[\w'!?]+|\S", lines[1].lstrip())
    return word is not None and word.group() in _STEPS


def _without_last_comment(text: str) -> str:
    """The text up to its last token; a comment in front of other text on a line would hide that."""
    masked = mask(text).rstrip()
    return text[: len(masked)]
