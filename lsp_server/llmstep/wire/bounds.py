"""What the values of a field may be, beyond their types: `Annotated[int, number(1, 256)]`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

import attrs

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class WrongValue(ValueError):  # noqa: N818 - becomes an error with the name of the field
    """A value is not what its field takes.

    Args:
        wanted: What it has to be: `a text`.
        got: What it is.
        hint: What has to be there, or which fields there are, where a field is missing or unknown.
    """

    def __init__(self, wanted: str, got: Any = None, *, hint: str = "") -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.got = got
        self.hint = hint


@attrs.frozen(eq=False)
class Bound:
    """Narrows a type.

    Attributes:
        words: Go behind those of the type: ` from 1 to 256`.
        holds: Whether a value of the type is within the bound.
        schema: What it adds to the JSON Schema of the type.
    """

    words: str
    holds: Callable[[Any], bool]
    schema: dict[str, Any]


def number(minimum: float, maximum: float) -> Bound:
    """A number from `minimum` to `maximum`, both included."""
    low, high = (str(each) if isinstance(each, int) else f"{each:g}" for each in (minimum, maximum))
    schema = {"minimum": minimum, "maximum": maximum}
    return Bound(f" from {low} to {high}", lambda value: minimum <= value <= maximum, schema)


def text(max_length: int | None = None, *, empty: bool = True, blank: bool = True, control: bool = True) -> Bound:
    """A text that may be bounded in several ways.

    Args:
        max_length: Most characters.
        empty: Whether it may be empty.
        blank: Whether it may be blank.
        control: Whether it may have control characters; tabs and ends of lines are none.
    """
    words = f" of at most {max_length} characters" if max_length else ""
    words += "" if control else ", without control characters"
    if not words and not (empty and blank):
        words = " that is not blank" if empty else " that is not empty"

    def holds(value: str) -> bool:
        if (not blank and not value.strip()) or (not empty and not value) or (max_length and len(value) > max_length):
            return False
        return control or not _CONTROL.search(value)

    return Bound(words, holds, ({} if blank else {"pattern": r"\S"}) | ({} if empty else {"minLength": 1}))


def items(maximum: int | None = None, *, minimum: int = 0) -> Bound:
    """A list of so many values."""
    words = " that is not empty"
    if maximum is not None:
        words = f" of {'at most ' if minimum < maximum else ''}{maximum}"
    schema = ({"minItems": minimum} if minimum else {}) | ({} if maximum is None else {"maxItems": maximum})
    return Bound(words, lambda value: minimum <= len(value) <= (len(value) if maximum is None else maximum), schema)


Samples = Annotated[int, number(1, 256)]
"""A number of samples of the model."""
Given = Annotated[str, text(blank=False)]
"""A text that says something."""
Prefix = Annotated[str, text(max_length=4096, control=False)]
"""What every suggestion starts with."""
