"""The log in the editor: what matters as `window/logMessage`, details as `$/logTrace` when the client traces."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from lsprotocol import types

from llmstep.printable import printable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class ClientLog(logging.Handler):
    """Hands the package's log records to the client, from whatever thread they come."""

    def __init__(self, send: Callable[[int, str], None], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._send = send
        self._loop = loop

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._send, record.levelno, printable(record.getMessage()))


def message_type(level: int) -> types.MessageType:
    if level >= logging.ERROR:
        return types.MessageType.Error
    return types.MessageType.Warning if level >= logging.WARNING else types.MessageType.Info
