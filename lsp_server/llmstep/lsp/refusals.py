"""Errors as JSON-RPC sends them."""

from __future__ import annotations

from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.errors import CancelledError, LlmstepError, RequestError
from llmstep.lsp.framing import is_identity


def known_identity(msg_id: Any) -> int | str | None:
    """The `id` that an answer may have."""
    return msg_id if is_identity(msg_id) else None


def response_error(error: LlmstepError | JsonRpcException) -> types.ResponseError:
    """The error as JSON-RPC sends it: one sentence, and in `data` what to do next."""
    if isinstance(error, JsonRpcException):
        return error.to_response_error()
    code: int = types.LSPErrorCodes.RequestFailed
    if isinstance(error, RequestError):
        code = types.ErrorCodes.InvalidParams
    elif isinstance(error, CancelledError):
        code = types.LSPErrorCodes.ServerCancelled
    data = {"hint": error.hint, "code": error.code, "retryable": error.retryable}
    return types.ResponseError(code=int(code), message=error.message, data=data)
