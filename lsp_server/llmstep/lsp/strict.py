"""JSON-RPC taken strictly: what is wrong with a message, as the error that its sender gets."""

from __future__ import annotations

import re
from typing import Any

import attrs
import cattrs
from cattrs import Converter
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.errors import CancelledError, LlmstepError, RequestError
from llmstep.lsp.framing import INVALID_REQUEST, Fault, known_identity
from llmstep.wire.reading import simple

VERSION = "2.0"
_PATH = re.compile(r"@ \$?\.?([\w.\[\]$]+)")
_HINT = "Correct the parameters; the protocol's specification has their form."


def strict(converter: Converter) -> Converter:
    """The converter, no longer making a text of `null`, nor a number of a text."""
    for kind in (str, int, bool, float):
        converter.register_structure_hook(kind, lambda value, _, kind=kind: simple(value, kind))
    return converter


def envelope_fault(data: Any) -> Fault | None:
    """What is wrong with a message before its parameters are looked at."""
    if not isinstance(data, dict) or data.get("jsonrpc") != VERSION:
        return Fault(INVALID_REQUEST, "The message is no JSON-RPC 2.0.", "It must be an object with jsonrpc: 2.0.")
    identity, method = known_identity(data.get("id")), data.get("method", "")
    if not isinstance(method, str):
        return Fault(INVALID_REQUEST, "The method of a message must be a text.", id=identity)
    if "id" in data and identity is None:
        return Fault(INVALID_REQUEST, "The id of a message must be a whole number or a text.")
    if "method" not in data and not ("id" in data and data.keys() & {"result", "error"}):
        return Fault(INVALID_REQUEST, "A message without a method must be an answer.", id=identity)
    kind = types.METHOD_TO_TYPES.get(method, (None,))[0]
    if kind is not None and "id" in data and "id" not in attrs.fields_dict(kind):
        return Fault(INVALID_REQUEST, f"{method} is a notification.", "Send it without an id.", id=identity)
    return None


def what_is_wrong(method: str | None, error: Exception) -> tuple[str, str]:
    """One sentence about parameters that the converter refused, and what to do."""
    what = f"The parameters of {method[:100]}" if method else "An answer of the client"
    verb = "are" if method else "is"
    try:
        where = next((found for each in cattrs.transform_error(error) if (found := _PATH.search(each))), None)
    except Exception:  # an error of another kind: the sentence does without the place
        where = None
    return f"{what} {verb} wrong{f' at {where.group(1)[:200]}' if where else ''}.", _HINT


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
