"""The output of a program that should be a Lean server, and whether it is messages of one."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE: Final = 5.0
"""Seconds to wait for the first message after other output: wrappers print greetings."""

_HEADER: Final = re.compile(rb"[A-Za-z-]+: [^\r\n]*\r\n|\r?\n")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_MAX_LENGTH: Final = 16_384


class Output:
    """A server's standard output, as pygls reads it."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream
        self._since = 0.0
        self.noise = ""
        """The first line that is no header of a message; empty when there is none, or once a message came."""
        self._spoke = False

    @property
    def is_noise(self) -> bool:
        """Whether it has been noise for so long that no message is to be expected."""
        return bool(self.noise) and asyncio.get_running_loop().time() - self._since > PATIENCE

    async def readline(self) -> bytes:
        try:
            line = await self._stream.readline()
        except ValueError:  # longer than the buffer, which has been emptied
            line = b"(a line without an end)\n"
        if line and not self._spoke and not self.noise and not _HEADER.fullmatch(line):
            self.noise = line.decode("utf-8", "replace").strip()[:80] or "a blank line"
            self._since = asyncio.get_running_loop().time()
        return line

    async def readexactly(self, n: int) -> bytes:
        body = await self._stream.readexactly(n)
        if body.lstrip().startswith(b"{"):
            self._spoke, self.noise = True, ""
        return body


def how_it_ended(status: int | None, shut: str, stderr: Sequence[str]) -> str:
    """What became of a process, as the rest of a sentence, with the last line that it wrote to its standard error.

    Args:
        status: Its exit status, negative for a signal; None where it is not known.
        shut: The stream that it closed although it lives on; empty where that is not so.
        stderr: What it wrote to its standard error.
    """
    how = "" if status is None else f" by signal {-status}" if status < 0 else f" with exit status {status}"
    what = f"closed its {shut}" if shut else f"ended{how}"
    last = next((line.strip() for line in reversed(stderr) if line.strip()), "")
    return what + (f": {last}" if last else ".")


def split_lines(data: bytes) -> list[bytes]:
    """The lines, and last what has no end yet; a carriage return ends one, since bars of progress are drawn with it.

    What goes on for too long without an end is cut off.
    """
    *lines, rest = _LINE_END.split(data)
    return [*lines, rest] if len(rest) <= _MAX_LENGTH else [*lines, rest[:_MAX_LENGTH], b""]
