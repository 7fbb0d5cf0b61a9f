"""Parameters of the protocol, taken strictly: a text is a text, a whole number is one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import cattrs

if TYPE_CHECKING:
    from cattrs import Converter

_PATH = re.compile(r"@ \$?\.?([\w.\[\]$]+)")
_HINT = "Correct the parameters; the protocol's specification has their form."


def strict(converter: Converter) -> Converter:
    """The converter, no longer making a text of `null`, nor a number of a text."""
    for kind, take in ((str, _text), (int, _number), (bool, _truth), (float, _real)):
        converter.register_structure_hook(kind, take)
    return converter


def what_is_wrong(method: str | None, error: Exception) -> tuple[str, str]:
    """One sentence about parameters that the converter refused, and what to do."""
    what = f"The parameters of {method[:100]}" if method else "An answer of the client"
    verb = "are" if method else "is"
    try:
        where = next((found for each in cattrs.transform_error(error) if (found := _PATH.search(each))), None)
    except Exception:  # an error of another kind: the sentence does without the place
        where = None
    return f"{what} {verb} wrong{f' at {where.group(1)[:200]}' if where else ''}.", _HINT


def _text(value: Any, _: type) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _number(value: Any, _: type) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)  # some clients have but one kind of number
    if type(value) is not int:
        raise ValueError("not a whole number")
    return value


def _truth(value: Any, _: type) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")
    return value


def _real(value: Any, _: type) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    return float(value)
