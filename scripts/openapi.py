"""The description of the HTTP server, from its table of pages and the classes that read the requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas import part

from llmstep.engine.wire import CANDIDATES
from llmstep.http.app import PAGES

if TYPE_CHECKING:
    from llmstep.http.app import Page

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
_ANSWERS = {
    "/v1/completions": _CHOICES,
    "/v1/chat/completions": _CHOICES,
    "/v1/models": _MODELS,
    "/v1/models/{model:path}": _MODEL,
    "/api/generate": _DONE,
    "/api/chat": _DONE,
    "/api/tags": _TAGS,
    "/api/version": _answer("version", version=_TEXT),
    "/openapi.json": _OBJECT,
}
"""Of pages whose answers are described by no class."""
_KINDS = {CANDIDATES: "application/x-ndjson", "/metrics": "text/plain"}
"""Content types of answers that are no JSON."""


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
            "version": "",  # the server knows it
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
    answer = _ANSWERS.get(page.path, {}) if page.answer is None else part(page.answer, answers, where=_PARTS)
    kind = _KINDS.get(page.path, _JSON)
    content = {kind: {"schema": answer}} if answer else {kind: {}}
    if kind == _JSON and page.path.startswith(("/v1/c", "/api/")) and page.body is not None:
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
