"""Simple values of JSON: what they are, what they have to be, and how they are read."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from llmstep.wire.bounds import Form, WrongValue


def kind_of(value: object) -> str:
    """What a value of JSON is, for a sentence."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, (list, tuple)) else "a text"


def origin_of(kind: Any) -> Any:
    """What a generic type is made of: `Annotated`, `Literal`, `tuple`."""
    return typing.get_origin(kind)


def wanted(kind: Any) -> str:
    """What a value of a type has to be, in words."""
    origin, arguments = origin_of(kind), typing.get_args(kind)
    if origin is Annotated and not isinstance(arguments[1], Form):
        words: str = arguments[1].wanted(arguments[0])
        return words
    if origin is Literal:
        return "one of " + ", ".join(arguments)
    simple = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return simple.get(kind, "a list" if is_list(kind) else "an object")


def read_whole(value: Any) -> int:
    """A whole number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongValue("a whole number", value)
    return value


def read_number(value: Any) -> float:
    """A number that is finite."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise WrongValue("a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise WrongValue("a number", value)
    return number


def read_text(value: Any) -> str:
    """A text of whole characters."""
    if not isinstance(value, str):
        raise WrongValue("a text", value)
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can escape half of a surrogate pair; no tokenizer takes it
        raise WrongValue("valid Unicode", value) from None
    return value


def read_flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise WrongValue("true or false", value)
    return value


def is_list(kind: Any) -> bool:
    """Whether a type is that of a list of any length."""
    return origin_of(kind) is tuple and typing.get_args(kind)[1:] == (Ellipsis,)
