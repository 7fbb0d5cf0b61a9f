"""What the values of a field may be, beyond their types: `Annotated[int, Number(1, 256)]`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class WrongValue(ValueError):  # noqa: N818 - becomes an error with the name of the field
    """A value is not what its field takes.

    Args:
        wanted: What it has to be: `a text`.
        got: What it is.
        said: The whole sentence, where that says more than `wanted`.
        hint: What to do.
    """

    def __init__(self, wanted: str, got: Any = None, *, said: str = "", hint: str = "") -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.got = got
        self.said = said
        self.hint = hint


@attrs.frozen
class Number:
    """A number from `minimum` to `maximum`, both included."""

    minimum: float
    maximum: float

    def wanted(self, kind: Any) -> str:
        """In words."""
        noun = "whole number" if kind is int else "number"
        return f"a {noun} from {self._shown(self.minimum)} to {self._shown(self.maximum)}"

    def holds(self, value: Any) -> bool:
        """Whether a value is within the bounds."""
        return bool(self.minimum <= value <= self.maximum)

    def schema(self) -> dict[str, Any]:
        """For JSON Schema."""
        return {"minimum": self.minimum, "maximum": self.maximum}

    @staticmethod
    def _shown(number: float) -> str:
        return str(number) if isinstance(number, int) else f"{number:g}"


@attrs.frozen
class Text:
    """A text that may be bounded in several ways."""

    max_length: int | None = None
    """Characters."""
    blank: bool = True
    """Whether it may be blank."""
    control: bool = True
    """Whether it may have control characters; tabs and ends of lines are none."""

    def wanted(self, _: Any) -> str:
        """In words."""
        max_length = f" of at most {self.max_length} characters" if self.max_length else ""
        control = "" if self.control else ", without control characters"
        return f"a text{max_length}{control}" + ("" if self.blank or max_length or control else " that is not blank")

    def holds(self, value: str) -> bool:
        """Whether a text is within the bounds."""
        if (not self.blank and not value.strip()) or (self.max_length and len(value) > self.max_length):
            return False
        return self.control or not _CONTROL.search(value)

    def schema(self) -> dict[str, Any]:
        """For JSON Schema."""
        return {} if self.blank else {"pattern": r"\S"}


@attrs.frozen
class AtMost:
    """A list of at most so many values."""

    count: int

    def wanted(self, _: Any) -> str:
        """In words."""
        return f"a list of at most {self.count}"

    def holds(self, value: Any) -> bool:
        """Whether a list is within the bounds."""
        return len(value) <= self.count

    def schema(self) -> dict[str, Any]:
        """For JSON Schema."""
        return {"maxItems": self.count}


Bound = Number | Text | AtMost


@attrs.frozen
class Form:
    """A value that JSON gives in several ways.

    Attributes:
        schema: JSON Schema of those.
        read: Gives the value for one of them, or raises `WrongValue`.
    """

    schema: dict[str, Any] = attrs.field(hash=False)
    read: Callable[[Any], Any]
