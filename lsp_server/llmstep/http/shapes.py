"""The shape of errors, which depends on whose protocol a page speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from llmstep.http.answers import error_answer, retry_headers, status_of
from llmstep.http.openai_answers import is_openai, openai_error

if TYPE_CHECKING:
    from llmstep.errors import LlmstepError

OLLAMA = "/api"


def is_ollama(path: str) -> bool:
    """Whether a page is one of Ollama's."""
    return path.startswith(OLLAMA + "/")


def ollama_error(error: LlmstepError, *, retry_after: int = 1) -> JSONResponse:
    """`{error}`; the hint is part of it."""
    headers = retry_headers(error, retry_after)
    return JSONResponse({"error": str(error)}, status_of(error), headers)


def step_error(path: str, error: LlmstepError) -> JSONResponse:
    """A missing token, for the first llmstep's client and LeanCopilot's: they know no tokens and show only steps.

    To them it is a step that says so, as a comment, which no Lean takes for a proof.
    """
    said = f"-- llmstep: {error}"
    content: dict[str, object] = {"error": error.message, "hint": error.hint, "suggestions": [said]}
    if path == "/generate":
        content["outputs"] = [{"output": said, "score": 0.0}]
    return JSONResponse(content, status_of(error), retry_headers(error, 1))


def answer_for(path: str, error: LlmstepError, *, retry_after: int = 1) -> JSONResponse:
    """An error with its status, as the clients of a page read it."""
    if status_of(error) == 401 and path in ("/", "/generate"):
        return step_error(path, error)
    shape = openai_error if is_openai(path) else ollama_error if is_ollama(path) else error_answer
    return shape(error, retry_after=retry_after)
