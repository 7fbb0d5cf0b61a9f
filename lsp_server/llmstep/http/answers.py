"""Bodies and statuses of answers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
from starlette.responses import JSONResponse

from llmstep.errors import BusyError, CancelledError, GenerationError, LlmstepError, ModelError, RequestError
from llmstep.wire.http import GenerateAnswer, GeneratedOutput, TacticAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstep.engine.interface import Generation


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


def tactic_answer(generation: Generation) -> dict[str, Any]:
    """A `TacticAnswer`: upstream's `{suggestions}`, with scores, model and time."""
    candidates = generation.candidates
    answer = TacticAnswer(
        suggestions=tuple(candidate.text for candidate in candidates),
        scores=tuple(candidate.score for candidate in candidates),
        model=generation.model,
        elapsed_ms=generation.elapsed_ms,
    )
    return attrs.asdict(answer)


def generate_answer(generation: Generation) -> dict[str, Any]:
    """A `GenerateAnswer`, LeanCopilot's form; the score is the geometric mean of the token probabilities.

    LeanCopilot wants a number: where no probability is known, all candidates are taken for equally likely.
    """
    equal = 1 / max(1, len(generation.candidates))
    outputs = tuple(
        GeneratedOutput(output=each.text, score=equal if each.score is None else min(1.0, math.exp(each.score)))
        for each in generation.candidates
    )
    return attrs.asdict(GenerateAnswer(outputs=outputs))


def status_of(error: LlmstepError) -> int:
    """The HTTP status that stands for an error."""
    if isinstance(error, RefusedError):
        return error.status
    by_class: tuple[tuple[type[LlmstepError], int], ...] = (
        (RequestError, 400),
        (BusyError, 429),
        (CancelledError, 503),
        (GenerationError, 500),
        (ModelError, 503),
    )
    return next((status for kind, status in by_class if isinstance(error, kind)), 500)


def retry_headers(error: LlmstepError, retry_after: int) -> dict[str, str]:
    """The headers of an error's answer: its own, and when to come again where that may help."""
    headers = dict(error.headers) if isinstance(error, RefusedError) else {}
    if status_of(error) == 429 or (status_of(error) == 503 and error.retryable):
        headers.setdefault("Retry-After", str(retry_after))
    return headers


def error_answer(error: LlmstepError, *, retry_after: int = 1) -> JSONResponse:
    """`{error, hint, suggestions: []}`: a client that reads only `suggestions` finds none instead of a missing key."""
    content = {"error": error.message, "hint": error.hint, "suggestions": []}
    return JSONResponse(content, status_of(error), retry_headers(error, retry_after))


def unexpected(error: BaseException) -> LlmstepError:
    """What is said of an error that nobody foresaw; the log has its traceback."""
    return LlmstepError(
        f"llmstep met an unexpected error: {type(error).__name__}: {error}.",
        hint="The server's log has the details; please report it.",
    )
