"""Messages in a stream of bytes: a header with `Content-Length`, an empty line, a body of JSON.

A client may send anything. What is no message becomes a `Fault`, which the client hears of once, and reading goes on at
the next header.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs

MAX_BYTES = 256 << 20
"""The longest body that is taken."""
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
INVALID_PARAMS = -32602

_CHUNK = 1 << 18
_MAX_LINE = 8192
_LENGTH = re.compile(rb"Content-Length:[ \t]*([+-]?\d+)[ \t]*\Z", re.IGNORECASE)
_HEADER = re.compile(rb"\s*Content-Length:", re.IGNORECASE)
_FIELD = re.compile(rb"[A-Za-z-]+:")
_DIGITS = len(str(MAX_BYTES))
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)
_HEAD = 1 << 20
"""The identity of a message is looked for in so many of its bytes."""


@attrs.frozen
class Fault:
    """Something that is no message, as the error that the client gets for it."""

    code: int
    message: str
    hint: str = ""
    id: int | str | None = None


class Stream:
    """Lines and blocks of a blocking source of bytes.

    Args:
        read: Gives up to so many bytes; none at the end.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._rest = bytearray()

    def line(self) -> bytes | None:
        """The next line without its break, the last `_MAX_LINE` bytes of it; None at the end."""
        at = 0
        while (end := self._rest.find(b"\n", at)) < 0:
            if len(self._rest) > 2 * _MAX_LINE:
                del self._rest[:-_MAX_LINE]
            at = len(self._rest)
            if not self._more():
                return None
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        return line.rstrip(b"\r")[-_MAX_LINE:]

    def block(self, size: int) -> bytes | None:
        """So many bytes; None where the source ends before."""
        while len(self._rest) < size:
            if not self._more():
                return None
        block = bytes(memoryview(self._rest)[:size])
        del self._rest[:size]
        return block

    def unread(self, data: bytes) -> None:
        """Put back what was read too much."""
        self._rest[:0] = data

    def _more(self) -> bool:
        data = self._read(_CHUNK)
        self._rest += data
        return bool(data)


def read_messages(stream: Stream) -> Iterator[Any]:
    """The decoded messages of a stream, and a `Fault` for each part of it that is none, until it ends."""
    length: int | None = None
    junk = False
    while (line := stream.line()) is not None:
        if line.strip():
            found = _LENGTH.search(line)  # what precedes it on its line was the end of something too long
            if found is not None:
                length = _number(found.group(1))
            elif length is None and not junk and not _FIELD.match(line):
                junk = True
                yield Fault(PARSE_ERROR, "The input is not a message.", "A message begins with Content-Length.")
            continue
        if length is None:
            continue
        size, length, junk = length, None, False
        if not 0 < size <= MAX_BYTES:
            yield Fault(
                INVALID_REQUEST, "The length of a message is wrong.", f"It must be from 1 to {MAX_BYTES} bytes."
            )
            continue
        body = stream.block(size)
        if body is None:
            return
        message, end = decode(body)
        if end is not None and not _HEADER.match(body, end):
            yield Fault(PARSE_ERROR, "The message is longer than it says.", "Correct its length.", identity(body))
            continue
        if end is not None:  # the length was wrong, and the next message is in it
            stream.unread(body[end:].lstrip())
        yield message


def _number(digits: bytes) -> int:
    return int(digits) if len(digits) <= _DIGITS else MAX_BYTES + 1


def decode(body: bytes) -> tuple[Any, int | None]:
    """What a body of JSON says, or the fault in it; and where it ended, when something follows."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return Fault(PARSE_ERROR, "The message is not in UTF-8.", "Send it again.", identity(body)), None
    try:
        try:
            return json.loads(text), None
        except json.JSONDecodeError as error:
            if error.msg != "Extra data":
                place = f"The message is no JSON from character {error.pos} on."
                return Fault(PARSE_ERROR, place, "Send it again.", identity(body)), None
            message, end = json.JSONDecoder().raw_decode(text.lstrip())
            return message, len(text[: end + len(text) - len(text.lstrip())].encode())
        except ValueError:  # a number of thousands of digits
            return json.loads(text, parse_int=_integer), None
    except RecursionError:
        hint = "Send it with less nesting."
        return Fault(INVALID_PARAMS, "The message is nested too deeply.", hint, identity(body)), None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 100 else float("-inf" if digits.startswith("-") else "inf")


def identity(body: bytes) -> int | str | None:
    """The `id` of a request that cannot be decoded as a whole, so that its sender need not wait for ever."""
    depth = 0
    named = False
    for token in _TOKEN.finditer(body, 0, _HEAD):
        text = token.group()
        if text in b"[{":
            depth += 1
        elif text in b"]}":
            depth -= 1
        elif depth == 1 and text == b'"id"':
            named = True
            continue
        elif named and text == b":":
            continue
        elif named:
            try:
                return known_identity(json.loads(text))
            except ValueError:
                return None
        named = False
    return None


def known_identity(value: object) -> int | str | None:
    """The `id` of a message; None where a request may not have it."""
    return value if isinstance(value, str) or (type(value) is int and abs(value) < 1 << 63) else None
