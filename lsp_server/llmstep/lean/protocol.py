"""JSON-RPC as Lean speaks it: raw dictionaries in, plain UTF-8 out; and output of a program that is no Lean server.

lsprotocol's types would drop `leanTags`, `isSilent` and `fullRange` of a diagnostic and do not know the `$/lean/…`
methods, so parameters and results stay what `json` made of them.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cattrs
from lsprotocol.types import ResponseError, ResponseErrorMessage
from pygls.protocol import JsonRPCNotification, JsonRPCProtocol, JsonRPCRequestMessage, JsonRPCResponseMessage

CONTENT_MODIFIED = -32801
REQUEST_CANCELLED = -32800
WORKER_EXITED = -32901
WORKER_CRASHED = -32902

SERVER_REQUESTS = (
    "client/registerCapability",
    "client/unregisterCapability",
    "workspace/inlayHint/refresh",
    "workspace/semanticTokens/refresh",
    "workspace/codeLens/refresh",
)
"""What Lean asks of its client; null is the right answer to each."""


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


def raw_converter() -> cattrs.Converter:
    """A converter that takes a message apart and leaves its contents alone.

    It is made in a millisecond; the converter of all types of the protocol takes a tenth of a second.
    """
    converter = cattrs.Converter()

    def error(message: dict[str, Any], _: type) -> ResponseErrorMessage:
        details = message["error"]
        return ResponseErrorMessage(
            id=message.get("id"),
            error=ResponseError(code=details["code"], message=details["message"], data=details.get("data")),
        )

    converter.register_structure_hook(ResponseErrorMessage, error)
    converter.register_structure_hook(JsonRPCResponseMessage, lambda message, cls: cls(**message))
    for request in (JsonRPCRequestMessage, JsonRPCNotification):
        converter.register_structure_hook(request, lambda message, cls: cls(**{"params": None, **message}))
    return converter


class LeanProtocol(JsonRPCProtocol):
    """Sends text as it is, like editors do, where pygls escapes what is not ASCII."""

    def handle_message(self, message: Any) -> None:
        """As pygls does it; but it finds the kind of a message by its structure, which for a notification takes longer
        than all the rest, and Lean sends one or two for each command of a file.
        """
        if type(message) is JsonRPCNotification and message.jsonrpc == self.VERSION and not self._shutdown:
            contextvars.copy_context().run(self._handle_notification, message.method, message.params)
        else:
            super().handle_message(message)

    def _send_data(self, data: Any) -> None:
        if self.writer is not None:
            body = json.dumps(data, default=self._serialize_message, ensure_ascii=False).encode("utf-8", "replace")
            self.writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)


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
