"""Answers to the requests that cannot be done, in the form that the clients of a page read."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

from llmstep.errors import BusyError, CancelledError, GenerationError, LlmstepError, ModelError, RequestError

_log = logging.getLogger(__name__)


class RefusedError(LlmstepError):
    """A request that is turned away before it is read.

    Args:
        status: HTTP status of the answer.
        headers: Headers that belong to this status.
        code: For programs.
    """

    code = "refused"

    def __init__(
        self,
        status: int,
        message: str,
        *,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        code: str = "refused",
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


def is_ollama(path: str) -> bool:
    """Whether a page is one of Ollama's."""
    return path.startswith("/api/")


_STATUSES: tuple[tuple[type[LlmstepError], int], ...] = (
    (RequestError, 400),
    (BusyError, 429),
    (CancelledError, 503),
    (GenerationError, 500),
    (ModelError, 503),
    (LlmstepError, 500),
)

_CLOSE = {"Connection": "close"}
_HEADERS = {400: _CLOSE, 401: {"WWW-Authenticate": 'Bearer realm="llmstep"'}, 408: _CLOSE, 413: _CLOSE}
"""Of requests that are turned away before they are read."""


def _status_of(error: LlmstepError) -> int:
    """The HTTP status that stands for an error."""
    if isinstance(error, RefusedError):
        return error.status
    return next(status for kind, status in _STATUSES if isinstance(error, kind))


def openai_error(error: LlmstepError) -> dict[str, Any]:
    """`{error: {message, type, param, code}}`; the hint is part of the message."""
    status = _status_of(error)
    kinds = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    field = getattr(error, "field", "") or None
    return {"error": {"message": str(error).strip(), "type": kind, "param": field, "code": error.code}}


def answer_for(path: str, error: LlmstepError, *, retry_after: int = 1) -> JSONResponse:
    """An error with its status, and when to come again where that may help.

    Everywhere but at OpenAI's and Ollama's pages that is `{error, hint, suggestions: []}`: a client that reads only
    `suggestions` finds none instead of a missing key. The first llmstep's client and LeanCopilot's know no tokens and
    show only steps: to them a missing token is a step that says so, as a comment, which no Lean takes for a proof.
    """
    status = _status_of(error)
    headers = {**_HEADERS.get(status, {}), **error.headers} if isinstance(error, RefusedError) else {}
    if status == 429 or (status == 503 and error.retryable):
        headers.setdefault("Retry-After", str(retry_after))
    content: dict[str, Any] = {"error": error.message, "hint": error.hint, "suggestions": []}
    if path == "/v1" or path.startswith("/v1/"):
        content = openai_error(error)
    elif is_ollama(path):
        content = {"error": str(error)}
    elif path in ("/", "/generate") and status == 401:
        said = f"-- llmstep: {error}"
        content["suggestions"] = [said]
        if path == "/generate":
            content["outputs"] = [{"output": said, "score": 0.0}]
    return JSONResponse(content, status, headers)


def unexpected(error: BaseException) -> LlmstepError:
    """What is said of an error; where nobody foresaw it, the log has its traceback."""
    if isinstance(error, LlmstepError):
        return error
    _log.error("llmstep: a request failed", exc_info=error)
    return LlmstepError(
        f"llmstep met an unexpected error: {type(error).__name__}: {error}.",
        hint="The server's log has the details; please report it.",
    )
