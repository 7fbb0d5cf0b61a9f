"""What the user is shown beside the answers: as `window/showMessage`, or in parts to a client that can do more.

A client with the experimental capability `llmstepMessages` gets `llmstep/message` instead, whose `code` lets it offer a
button that fits the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer

    from llmstep.errors import LlmstepError

MESSAGE = "llmstep/message"
CAPABILITY = "llmstepMessages"


def show(ls: LanguageServer, error: LlmstepError) -> None:
    """Tell the user of an error; that there is no goal is no error but an answer."""
    plain = error.code == "no_goal"
    if _in_parts(ls):
        record = {
            "kind": "info" if plain else "error",
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
        }
        ls.protocol.notify(MESSAGE, record)
        return
    kind = types.MessageType.Info if plain else types.MessageType.Error
    ls.window_show_message(types.ShowMessageParams(type=kind, message=str(error)))


def _in_parts(ls: LanguageServer) -> bool:
    """Whether the client has the capability; lsprotocol leaves this field as it came, or as an object."""
    capabilities = getattr(ls.protocol, "client_capabilities", None)  # unknown before `initialize`
    experimental = capabilities.experimental if capabilities else None
    if isinstance(experimental, dict):
        return experimental.get(CAPABILITY) is True
    return getattr(experimental, CAPABILITY, False) is True
