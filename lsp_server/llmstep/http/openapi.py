"""The pages of the server, and `GET /openapi.json`, which describes them from the classes that read the requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import attrs
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from llmstep import __version__
from llmstep.engine.wire import CANDIDATES
from llmstep.http import ollama, openai, steps
from llmstep.http.openai_requests import REFUSED, ChatBody, CompletionBody
from llmstep.http.watch import health, metrics, ready
from llmstep.wire import http as forms
from llmstep.wire.schema import part

_JSON = "application/json"
_OBJECT = {"type": "object"}
_PARTS = "#/components/schemas/"
_ERRORS = {
    "400": "The request is malformed.",
    "401": "The token is missing or wrong.",
    "403": "The Host or the Origin is not this server's.",
    "404": "There is no such page or model.",
    "405": "The page does not take this method.",
    "408": "The request did not arrive in time.",
    "409": "The server has another model.",
    "413": "The body is too long.",
    "415": "The content type is not JSON.",
    "429": "Too many requests wait.",
    "500": "The server failed.",
    "503": "The model is not there, or the server ends.",
}


def _answer(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


_TEXT = {"type": "string"}
_CHOICES = _answer("id", "object", "choices", id=_TEXT, choices={"type": "array", "items": _OBJECT})
_MODEL = _answer("id", "object", id=_TEXT, object={"const": "model"})
_MODELS = _answer("data", data={"type": "array", "items": _MODEL})
_DONE = _answer("model", "done", model=_TEXT, done={"type": "boolean"})
_TAGS = _answer("models", models={"type": "array", "items": _OBJECT})


@attrs.frozen
class Page:
    """A page of the server; those that take a body take it by POST."""

    path: str
    endpoint: Callable[[Request], Awaitable[Response]]
    about: str
    answer: dict[str, Any] | type
    """JSON Schema, or the class that describes it."""
    body: type | None = None
    kind: str = _JSON
    """Content type of the answer, where it is always the same one."""

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"


async def openapi(_request: Request) -> Response:
    return JSONResponse(description())


_COMPLETIONS = f"OpenAI's completions. Refused: {', '.join(REFUSED)}."
_CHATS = "OpenAI's chats, with the same refusals."
_CANDIDATES = "Candidates for another llmstep, as lines of JSON."
_chat = partial(openai.completions, chat=True)
_ollama_chat = partial(ollama.generate, chat=True)
PAGES = (
    Page("/", steps.tactic, "Next steps for a goal.", forms.TacticAnswer, forms.TacticBody),
    Page("/generate", steps.generate, "Next steps for LeanCopilot.", forms.GenerateAnswer, forms.GenerateBody),
    Page(CANDIDATES, steps.candidates, _CANDIDATES, {}, forms.CandidatesBody, "application/x-ndjson"),
    Page("/v1/completions", openai.completions, _COMPLETIONS, _CHOICES, CompletionBody),
    Page("/v1/chat/completions", _chat, _CHATS, _CHOICES, ChatBody),
    Page("/v1/models", openai.models, "The one model.", _MODELS),
    Page("/v1/models/{model:path}", openai.model, "The one model, by its name.", _MODEL),
    Page("/api/generate", ollama.generate, "Ollama's generate.", _DONE, ollama.OllamaGenerateBody),
    Page("/api/chat", _ollama_chat, "Ollama's chat.", _DONE, ollama.OllamaChatBody),
    Page("/api/tags", ollama.tags, "Ollama's list of models.", _TAGS),
    Page("/api/version", ollama.version, "The version.", _answer("version", version=_TEXT)),
    Page("/health", health, "The process is alive.", forms.HealthAnswer),
    Page("/ready", ready, "The model is loaded.", forms.ReadyAnswer),
    Page("/metrics", metrics, "Numbers for Prometheus.", {}, kind="text/plain"),
    Page("/openapi.json", openapi, "This description.", _OBJECT),
)


def description() -> dict[str, Any]:
    """The description, as OpenAPI 3.1."""
    bodies: dict[str, Any] = {}
    for page in PAGES:
        if page.body is not None:
            part(page.body, bodies, where=_PARTS, nullable=True, closed=False)
    answers: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for page in PAGES:
        path = page.path.replace(":path", "")
        paths.setdefault(path, {})[page.method.lower()] = _operation(page, answers)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "llmstep",
            "version": __version__,
            "description": "Errors are `{error, hint, suggestions: []}`, below /v1 OpenAI's, below /api Ollama's.",
        },
        "paths": paths,
        "components": {
            "schemas": {**bodies, **answers, "Error": _answer("error")},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _operation(page: Page, answers: dict[str, Any]) -> dict[str, Any]:
    error = {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    if page.path == "/ready":
        error = {_JSON: {"schema": _OBJECT}}
    answer = page.answer
    if isinstance(answer, type):
        answer = part(answer, answers, where=_PARTS)
    content = {page.kind: {"schema": answer}} if answer else {page.kind: {}}
    if page.kind == _JSON and page.path.startswith(("/v1/c", "/api/")) and page.body is not None:
        content |= {"text/event-stream" if page.path.startswith("/v1") else "application/x-ndjson": {}}
    made: dict[str, Any] = {
        "summary": page.about,
        "responses": {
            "200": {"description": page.about, "content": content},
            **{status: {"description": said, "content": error} for status, said in _ERRORS.items()},
        },
    }
    if "{model" in page.path:
        made["parameters"] = [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}]
    if page.body is not None:
        reference = {"$ref": f"#/components/schemas/{page.body.__name__}"}
        made["requestBody"] = {"required": True, "content": {_JSON: {"schema": reference}}}
    return made
