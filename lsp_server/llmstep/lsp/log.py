"""The log in the editor: what matters as `window/logMessage`, details as `$/logTrace` when the client traces."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from lsprotocol import types

from llmstep.printable import printable

if TYPE_CHECKING:
    import asyncio

    from llmstep.lsp.server import LlmstepServer


class ClientLog(logging.Handler):
    """Hands the package's log records to the client, from whatever thread they come."""

    def __init__(self, ls: LlmstepServer, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._ls = ls
        self._loop = loop

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._send, record.levelno, record.getMessage())

    def _send(self, level: int, message: str) -> None:
        if level >= logging.INFO:
            self._ls.window_log_message(types.LogMessageParams(type=_type(level), message=printable(message)))
        elif self._ls.protocol.trace is not types.TraceValue.Off:
            self._ls.log_trace(types.LogTraceParams(message=printable(message)))


def _type(level: int) -> types.MessageType:
    if level >= logging.ERROR:
        return types.MessageType.Error
    return types.MessageType.Warning if level >= logging.WARNING else types.MessageType.Info
