"""The text of a candidate, made fit for the place it goes to, with its mask and its tokens."""

from __future__ import annotations

import functools
import itertools

import attrs

from llmstep.lean.blocks import begins_step
from llmstep.lean.lexer import Lexeme, lex
from llmstep.lean.step_words import ALTERNATIVES, CASES, CHOICES, COMBINATORS, OPEN_END, SURE_STEPS
from llmstep.lean.text import mask
from llmstep.lean.tokens import OPENING, outside, tokenize
from llmstep.printable import strange_character

_STEPS = SURE_STEPS | CASES | COMBINATORS | ALTERNATIVES | {"show", "let", "exists"}
_OPENERS = COMBINATORS | {"·", ".", "{", "(", "by", "=>", "|", "<;>", "then", "else", "calc", "do", ";"}
"""Behind these a block begins."""
_GOING_ON = COMBINATORS | CHOICES | {"·", "by", "=>", "|", "then", "else", "calc", "do"}
_TAB = 2


@attrs.frozen(eq=False, slots=False)
class StepText:
    """What an edit inserts of a candidate, without the indentation of its place; see `step_of`."""

    lines: tuple[str, ...]
    """The first at column 0, the others indented relative to it; one that is empty where there is no text."""
    masked: str
    """`text` without comments and the insides of strings; see `llmstep.lean.masking.mask`."""

    @functools.cached_property
    def text(self) -> str:
        return "\n".join(self.lines)

    @functools.cached_property
    def lexemes(self) -> tuple[Lexeme, ...]:
        """The tokens of the strict lexer.

        Raises:
            LexicalError: See `lex`.
        """
        return tuple(lex(self.text))

    @functools.cached_property
    def has_several(self) -> bool:
        """Whether the lines hold more than one step, so that behind `<;>` they need parentheses."""
        tokens = itertools.islice(outside(tokenize(self.masked)), 1, None)
        return any(each.text == ";" or (each.leads and each.column == 0 and begins_step(each)) for each in tokens)

    @property
    def goes_on(self) -> bool:
        """Whether the step may take in what stands behind it, as `try …`, `case x => …` and `have h := by …` do."""
        if len(self.lines) > 1 or self.masked.endswith(";"):
            return True
        return any(each.text in _GOING_ON for each in outside(tokenize(self.masked)))


@functools.lru_cache(maxsize=512)
def step_of(candidate: str) -> StepText:
    """The step in a candidate, the same object for the same text.

    Tabs become blanks, blank lines and blanks at line ends go, and so does a comment that ends the text. Where the
    lines were cut out of a block, so that the first has lost its indentation, the others lose the same.
    """
    text = candidate.replace("\r\n", "\n").replace("\r", "\n").expandtabs(_TAB)
    masked = mask(text).rstrip()  # a comment in front of other text on a line would hide that
    rows = zip(text[: len(masked)].split("\n"), masked.split("\n"), strict=True)
    lines = [(line.rstrip(), shown) for line, shown in rows if line.strip()]
    if not lines:
        return StepText(("",), "")
    widths = [_width(line) for line, _ in lines]
    shift = widths[1] if widths[0] == 0 and _lost_indentation(lines) else widths[0]
    kept = [" " * (width - shift) for width in widths]
    return StepText(
        tuple(blanks + line.lstrip() for (line, _), blanks in zip(lines, kept, strict=True)),
        "\n".join(
            blanks + shown[width : len(line)] for (line, shown), blanks, width in zip(lines, kept, widths, strict=True)
        ),
    )


def inserted(candidate: str) -> str:
    """What an edit inserts of a candidate, its indentation aside: two with the same are one.

    One with a strange character, which is refused for it, is like no other.
    """
    return candidate if strange_character(candidate.replace("\r\n", "\n")) else step_of(candidate).text


def _width(line: str) -> int:
    return len(line) - len(line.lstrip())


def _lost_indentation(lines: list[tuple[str, str]]) -> bool:
    """Whether the second line is a step of the same block as the first, though it is indented.

    Args:
        lines: Each with its mask.
    """
    least = min((_width(line) for line, _ in lines[1:]), default=0)
    if least == 0 or least != _width(lines[1][0]):
        return False
    first, second = (list(tokenize(shown)) for _, shown in lines[:2])
    if not second or (first and first[-1].text in OPEN_END | _OPENERS | OPENING.keys()):
        return False
    opened = any(last.text in _OPENERS and token.start == least for last, token in itertools.pairwise(first))
    return not opened and second[0].text in _STEPS
