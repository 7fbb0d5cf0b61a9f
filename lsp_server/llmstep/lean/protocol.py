"""JSON-RPC as Lean speaks it: raw dictionaries in, plain UTF-8 out.

lsprotocol's types would drop `leanTags`, `isSilent` and `fullRange` of a diagnostic and do not know the `$/lean/…`
methods, so parameters and results stay what `json` made of them.
"""

from __future__ import annotations

import contextvars
import json
import os
from typing import TYPE_CHECKING, Any

import cattrs
from lsprotocol.types import ResponseError, ResponseErrorMessage
from pygls.protocol import JsonRPCNotification, JsonRPCProtocol, JsonRPCRequestMessage, JsonRPCResponseMessage

if TYPE_CHECKING:
    from pathlib import Path

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
