"""What the user is told beside the answers: errors, steps that Lean refused, and the log.

A client with the experimental capability `llmstepMessages` gets an error as `llmstep/message`, whose `code` lets it
offer a button that fits; other clients get `window/showMessage`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from lsprotocol import types

from llmstep.errors import LlmstepError
from llmstep.memory import SuggestionSet
from llmstep.printable import printable
from llmstep.wire.commands import MESSAGE
from llmstep.wire.records import to_editor
from llmstep.wire.state import ServerMessage

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer

SHOW_REJECTED = "Show rejected"


def has(capabilities: types.ClientCapabilities | None, name: str) -> bool:
    """Whether a client has an experimental capability; lsprotocol leaves them as they came, or as an object."""
    experimental = capabilities.experimental if capabilities else None
    if isinstance(experimental, dict):
        return experimental.get(name) is True
    return getattr(experimental, name, False) is True


def show(ls: LanguageServer, error: LlmstepError) -> None:
    """Tell the user of an error; that there is no goal is no error but an answer."""
    plain = error.code == "no_goal"
    capabilities = getattr(ls.protocol, "client_capabilities", None)  # unknown before `initialize`
    if has(capabilities, "llmstepMessages"):
        record = ServerMessage(
            kind="info" if plain else "error", code=error.code, message=error.message, hint=error.hint
        )
        ls.protocol.notify(MESSAGE, to_editor(record))
    else:
        level = types.MessageType.Info if plain else types.MessageType.Error
        ls.window_show_message(types.ShowMessageParams(type=level, message=str(error)))


async def show_rejected(ls: LanguageServer, found: SuggestionSet) -> None:
    """Show the summary of a run that offers nothing, with a button for what Lean said about each step."""
    message = f"No step was found: {printable(found.summary())}."
    window = ls.client_capabilities.window
    if not found.rejected or window is None or window.show_message is None:
        ls.window_show_message(types.ShowMessageParams(types.MessageType.Info, message))
        return
    asked = types.ShowMessageRequestParams(types.MessageType.Info, message, [types.MessageActionItem(SHOW_REJECTED)])
    chosen = await ls.window_show_message_request_async(asked)
    if chosen is not None and chosen.title == SHOW_REJECTED:
        ls.window_show_message(types.ShowMessageParams(types.MessageType.Info, listing(found)))


def listing(found: SuggestionSet) -> str:
    """The refused steps, a line each: the step, and Lean's reason."""
    lines = [f"{each.text.strip()}: {each.reason}" for each in found.rejected]
    return "\n".join(["Lean rejected:", *(printable(" ".join(line.split())) for line in lines)])


class ClientLog(logging.Handler):
    """Hands the package's log records to the client, from whatever thread they come.

    What matters goes as `window/logMessage`, details as `$/logTrace` when the client traces.
    """

    def __init__(self, ls: LanguageServer, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._ls = ls
        self._loop = loop

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._tell, record.levelno, printable(record.getMessage()))

    def _tell(self, level: int, message: str) -> None:
        if level >= logging.INFO:
            kinds = {logging.INFO: types.MessageType.Info, logging.WARNING: types.MessageType.Warning}
            kind = kinds.get(level, types.MessageType.Error)
            self._ls.window_log_message(types.LogMessageParams(type=kind, message=message))
        elif self._ls.protocol.trace is not types.TraceValue.Off:
            self._ls.log_trace(types.LogTraceParams(message=message))
