"""What each tool takes: the attributes of a class are read from a call, and described by its JSON Schema."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from llmstep.errors import RequestError
from llmstep.http.fields import Wrong, decode, field, kind_of, number, read_text, whole
from llmstep.setting_values import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T", bound="Place")

_LONGEST_STEP = 1 << 16
_LONGEST_PREFIX = 4096
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def _line_of_text(doc: str, most: int, *, required: bool = False) -> Any:
    """A text of a bounded length without control characters; one that is required is not blank."""

    def read(value: Any) -> str:
        text = "" if value is None else read_text(value)
        if (required and not text.strip()) or len(text) > most or _CONTROL.search(text):
            raise Wrong(f"a text of at most {most} characters, without control characters", value)
        return text

    return field(doc, {"type": "string"}, read, default="" if required else None, required=required)


def _one_of(doc: str, words: tuple[str, ...], default: str) -> Any:
    def read(value: Any) -> str:
        if value not in words:
            raise Wrong("one of " + ", ".join(words), value)
        return str(value)

    return field(doc, {"type": "string", "enum": list(words)}, read, default=default)


@attrs.frozen(kw_only=True)
class Place:
    """A position in a Lean file."""

    file: str = _line_of_text("Path of a Lean file in the project, absolute or from its root.", 4096, required=True)
    line: int = whole("Line of the goal, from 1.", 1, 2**31 - 1, required=True)
    column: int | None = whole(
        "Column, from 1, in UTF-16 units as editors count; without it the first `sorry` of the line is meant, else its "
        "first step.",
        1,
        2**31 - 1,
    )


@attrs.frozen(kw_only=True)
class Check(Place):
    """A step to be judged at a position."""

    step: str = _line_of_text(
        "The tactic to run at the goal, of one line or several: `simp [h]`.", _LONGEST_STEP, required=True
    )


@attrs.frozen(kw_only=True)
class Suggest(Place):
    """A position at which steps are wanted."""

    prefix: str | None = _line_of_text("What every step starts with: `rw [`.", _LONGEST_PREFIX)
    count: int | None = whole("Samples drawn from the model; without it those of the settings.", 1, 256)


@attrs.frozen(kw_only=True)
class Prove(Place):
    """A position at which a whole proof is wanted."""

    seconds: float = number("Longest search, in seconds.", 0.1, 3600, 60.0)
    expansions: int = whole("Most states of the proof that are expanded.", 1, 10_000, 64)
    samples: int = whole("Samples drawn from the model for each state.", 1, 256, 16)
    tactics: str = _one_of(
        "Where steps come from: the model, a fixed list such as `simp` and `constructor`, or both.",
        ("model", "list", "both"),
        "both",
    )


@attrs.frozen(kw_only=True)
class Premises(Place):
    """A position at which lemmas are wanted."""

    count: int = whole("Most premises.", 1, 100, 20)


def read(kind: type[T], tool: str, raw: Mapping[str, Any]) -> T:
    """The arguments of a call.

    Raises:
        RequestError: One is missing, unknown, or has a wrong type or value.
    """
    names = [each.name for each in attrs.fields(kind)]
    unknown = next((name for name in raw if name not in names), None)
    if unknown is not None:
        raise RequestError(f"{tool} takes no argument {shown(unknown)}.", hint=f"It takes {', '.join(names)}.")

    def word(name: str, wrong: Wrong) -> RequestError:
        if wrong.got is None:
            return RequestError(f"The argument {name} of {tool} is missing.", hint=f"It must be {wrong.wanted}.")
        plain = isinstance(wrong.got, (str, int, float)) and not isinstance(wrong.got, bool)
        got = shown(wrong.got) if plain else kind_of(wrong.got)
        return RequestError(f"The argument {name} of {tool} is {got}.", hint=f"It must be {wrong.wanted}.")

    numbers = {name: int(value) for name, value in raw.items() if isinstance(value, float) and value.is_integer()}
    return decode(kind, {**raw, **numbers}, word)  # to JSON 3.0 is a whole number
