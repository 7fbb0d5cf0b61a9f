"""Messages in a stream of bytes: a header with `Content-Length`, an empty line, a body of JSON.

A client may send anything. What is no message becomes a `Fault`, which the client hears of once, and reading goes on at
the next header.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import attrs

MAX_BYTES = 256 << 20
"""The longest body that is taken."""
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
INVALID_PARAMS = -32602

_MAX_LINE = 8192
_LENGTH = re.compile(rb"Content-Length:[ \t]*([+-]?\d+)\s*\Z", re.IGNORECASE)
_HEADER = re.compile(rb"\s*Content-Length:", re.IGNORECASE)
_FIELD = re.compile(rb"[A-Za-z-]+:")
_MAX_DIGITS = 16
"""More than the longest length that is taken has."""
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


class _Source:
    """A buffered stream, and before it bytes of it that were read too much."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._first = io.BytesIO()

    def line(self) -> bytes:
        """The next line, of a long one its last bytes; none at the end."""
        line = b""
        while not line.endswith(b"\n"):
            part = self._first.readline(_MAX_LINE) or self._stream.readline(_MAX_LINE)
            if not part:
                return b""
            line = line[-_MAX_LINE:] + part
        return line

    def block(self, size: int) -> bytes:
        """So many bytes; less at the end."""
        first = self._first.read(size)
        return first + self._stream.read(size - len(first))

    def unread(self, data: bytes) -> None:
        self._first = io.BytesIO(data + self._first.read())


def framed(body: bytes) -> bytes:
    """A message as it goes over a stream."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def read_messages(stream: BinaryIO) -> Iterator[Any]:
    """The decoded messages of a buffered stream, and a `Fault` for each part of it that is none, until it ends."""
    source = _Source(stream)
    length: int | None = None
    junk = False
    while line := source.line():
        if line.strip():
            found = _LENGTH.search(line)  # what precedes it on its line was the end of something too long
            if found is not None:
                length = int(found.group(1)[:_MAX_DIGITS])
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
        body = source.block(size)
        if len(body) < size:
            return
        message, end = decode(body)
        if end is not None and not _HEADER.match(body, end):
            yield Fault(PARSE_ERROR, "The message is longer than it says.", "Correct its length.", identity(body))
            continue
        if end is not None:  # the length was wrong, and the next message is in it
            source.unread(body[end:].lstrip())
        yield message


def decode(body: bytes) -> tuple[Any, int | None]:
    """What a body of JSON says, or the fault in it; and where it ended, when something follows."""
    try:
        text = body.decode("utf-8")
        return json.loads(text), None
    except UnicodeDecodeError:
        wrong = PARSE_ERROR, "The message is not in UTF-8.", "Send it again."
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            first = error.doc[: error.pos]
            return json.loads(first), len(first.encode())
        wrong = PARSE_ERROR, f"The message is no JSON from character {error.pos} on.", "Send it again."
    except (RecursionError, ValueError):  # ValueError: Python reads no number of thousands of digits
        wrong = INVALID_PARAMS, "The message is nested too deeply, or has a number of too many digits.", "Send less."
    return Fault(*wrong, identity(body)), None


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
