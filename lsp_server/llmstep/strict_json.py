"""JSON as its standard has it, from untrusted bytes: what cannot be read is one sentence, never a traceback."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

_MAX_DIGITS = 300
"""More digits than a double can have before its point."""
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
"""How half of a surrogate pair is written, alone or beside its other half."""


class JsonError(ValueError):
    """What is no JSON, as the end of a sentence that begins with what was read: `is not JSON: …`."""


def loads(content: bytes | str, *, lenient: bool = False) -> Any:
    """The value that a text stands for.

    Args:
        lenient: Let NaN, infinities and halves of surrogate pairs pass, for a caller who looks at every field and names
            the one that is wrong.

    Raises:
        JsonError: It is not UTF-8, not JSON, nested too deeply, or holds a number of hundreds of digits; if not
            `lenient`, NaN, an infinity, or half of a surrogate pair.
    """
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    try:
        text = raw.decode("utf-8-sig")
        if lenient:
            return json.loads(text, parse_int=_whole)
        value = json.loads(text, parse_int=_whole, parse_float=_number, parse_constant=_constant)
        if _HALF.search(raw):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise JsonError("is not UTF-8") from None
    except UnicodeEncodeError:
        raise JsonError("holds half of a surrogate pair") from None
    except RecursionError:
        raise JsonError("is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    return value


def _whole(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        _too_large()
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        _too_large()
    return value


def _too_large() -> NoReturn:
    raise JsonError("holds a number that is too large")


def _constant(name: str) -> NoReturn:
    raise JsonError(f"is not JSON: it holds {name}")
