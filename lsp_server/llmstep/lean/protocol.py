"""JSON-RPC as Lean speaks it: raw dictionaries in, plain UTF-8 out; and output of a program that is no Lean server.

lsprotocol's types would drop `leanTags`, `isSilent` and `fullRange` of a diagnostic and do not know the `$/lean/…`
methods, so parameters and results stay what `json` made of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from llmstep.lean.step_words import words

Message = dict[str, Any]

METHOD_NOT_FOUND = -32601
CONTENT_MODIFIED = -32801
REQUEST_CANCELLED = -32800
WORKER_EXITED = -32901
WORKER_CRASHED = -32902

SERVER_REQUESTS: Final = words(
    "client/registerCapability client/unregisterCapability "
    "workspace/inlayHint/refresh workspace/semanticTokens/refresh workspace/codeLens/refresh"
)
"""What Lean asks of its client; null is the right answer to each."""

_LENGTH: Final = re.compile(rb"Content-Length: (\d+)\r\n")
_HEADER: Final = re.compile(rb"[A-Za-z-]+: [^\r\n]*\r\n|\r?\n")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_MAX_LENGTH: Final = 16_384


def initialize_params(root: Path) -> dict[str, Any]:
    """Parameters of `initialize`.

    Of the capabilities that Lean heeds, incremental diagnostics (4.31) make it send each message of a version once.
    """
    uri = root.absolute().as_uri()
    return {
        "processId": os.getpid(),
        "clientInfo": {"name": "llmstep"},
        "rootUri": uri,
        "workspaceFolders": [{"uri": uri, "name": root.name}],
        "capabilities": {"lean": {"incrementalDiagnosticSupport": True}},
    }


def encoded(message: Message) -> bytes:
    """A message with its header, its text as it is."""
    body = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode("utf-8", "replace")
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


async def messages(stream: asyncio.StreamReader, on_noise: Callable[[str], None]) -> AsyncIterator[Message]:
    """The messages of a server, until its output ends; `on_noise` is called with what is no header of one.

    Raises asyncio.IncompleteReadError where it ends inside of a message.
    """
    length = 0
    while line := await _line(stream):
        if found := _LENGTH.fullmatch(line):
            length = int(found[1])
        elif length and not line.strip():
            body = await stream.readexactly(length)
            length = 0
            message = _parsed(body)
            if isinstance(message, dict):
                yield message
        elif not _HEADER.fullmatch(line):
            on_noise(line.decode("utf-8", "replace").strip()[:80] or "a blank line")


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:  # longer than the buffer, which has been emptied
        return b"(a line without an end)\n"


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def how_it_ended(status: int | None, shut: str, stderr: Sequence[str]) -> str:
    """What became of a process, as the rest of a sentence, with the last line that it wrote to its standard error.

    Its exit status is negative for a signal and None where it is not known; `shut` is a stream that it has closed
    although it lives on, or empty.
    """
    how = "" if status is None else f" by signal {-status}" if status < 0 else f" with exit status {status}"
    what = f"closed its {shut}" if shut else f"ended{how}"
    last = next((line.strip() for line in reversed(stderr) if line.strip()), "")
    return what + (f": {last}" if last else ".")


async def lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """The lines of a program; a carriage return ends one, since bars of progress are drawn with it.

    What goes on for too long without an end is cut off.
    """
    rest = b""
    while data := await stream.read(4096):
        *whole, rest = _LINE_END.split(rest + data)
        if len(rest) > _MAX_LENGTH:
            whole, rest = [*whole, rest], b""
        for line in whole:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
