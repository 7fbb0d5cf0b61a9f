"""What commands take in their arguments, which the protocol leaves to each server.

Each `read_…` raises KeyError, TypeError or ValueError where the argument is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lsprotocol import types

MOST_DIAGNOSTICS = 1000


def read_argument(arguments: Sequence[Any] | None) -> Mapping[str, Any]:
    """The one argument, an object."""
    raw = arguments[0] if arguments else None
    if not isinstance(raw, Mapping):
        raise TypeError("not an object")
    return raw


def read_uri(raw: Mapping[str, Any]) -> str:
    """The address of the document."""
    uri = raw["textDocument"]["uri"]
    if not isinstance(uri, str):
        raise TypeError("not an address")
    return uri


def read_position(raw: Any) -> types.Position:
    """A position."""
    return types.Position(_number(raw["line"]), _number(raw["character"]))


def read_diagnostics(raw: Mapping[str, Any]) -> tuple[types.Diagnostic, ...]:
    """Those of the editor at the position, as far as insertion points need them."""
    found = raw.get("diagnostics") or ()
    if not isinstance(found, (list, tuple)) or len(found) > MOST_DIAGNOSTICS:
        raise TypeError("not a list of diagnostics")
    return tuple(_diagnostic(each) for each in found)


def _number(raw: Any) -> int:
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    if type(raw) is not int or not 0 <= raw < 2**31:
        raise ValueError("lines and characters are counted from 0")
    return raw


def _diagnostic(raw: Any) -> types.Diagnostic:
    place = types.Range(read_position(raw["range"]["start"]), read_position(raw["range"]["end"]))
    if not isinstance(raw["message"], str):
        raise TypeError("not a message")
    return types.Diagnostic(place, raw["message"])
