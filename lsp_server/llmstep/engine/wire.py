"""How one llmstep asks another for candidates: `POST /candidates`.

The request is an object `{goal, others, prefix, context, declaration, proof}`, with `premises` `[[name, code], …]`,
`sampling` `{count, temperature, top_p, max_new_tokens, seed}` and `model_key`, empty where any model will do. The
answer is lines of JSON: `{"progress": …}` any number of times, `{}` as a sign of life, and at the end `{"generation":
…}` or `{"error": …}`. Closing the connection before the end stops the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from llmstep import errors
from llmstep.engine.interface import Generation
from llmstep.progress import Progress
from llmstep.types import Candidate, PromptInput, SamplingParams

PROTOCOL = 1
"""Number of the wire protocol; it changes when old clients would no longer understand the answers."""

CANDIDATES = "/candidates"

SECONDS_BETWEEN_SIGNS = 1.0
"""The server says something this often, so that a client soon notices that it is gone or hangs."""


def request_of(prompt_input: PromptInput, sampling: SamplingParams, key: str) -> dict[str, Any]:
    """The body of a request."""
    return {
        "goal": prompt_input.goal.text,
        "others": list(prompt_input.goal.others),
        "prefix": prompt_input.prefix,
        "context": prompt_input.context,
        "declaration": prompt_input.declaration,
        "proof": prompt_input.proof,
        "premises": [[premise.name, premise.code] for premise in prompt_input.premises],
        "sampling": attrs.asdict(sampling),
        "model_key": key,
    }


def progress_line(progress: Progress) -> dict[str, Any]:
    return {"progress": attrs.asdict(progress)}


def generation_line(generation: Generation, device: str) -> dict[str, Any]:
    return {"generation": attrs.asdict(generation), "device": device}


def error_line(error: errors.LlmstepError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": error.message, "hint": error.hint}}


def read_progress(raw: Mapping[str, Any]) -> Progress:
    """The progress of a line; KeyError, TypeError or ValueError where it is none."""
    return Progress(raw["stage"], str(raw["message"]), int(raw["done"]), int(raw["total"]))


def read_generation(raw: Mapping[str, Any]) -> Generation:
    """The generation of a line; KeyError, TypeError or ValueError where it is none."""
    candidates = [
        Candidate(str(each["text"]), None if each["score"] is None else float(each["score"]), int(each["tokens"]))
        for each in raw["candidates"]
    ]
    numbers = int(raw["drawn"]), float(raw["elapsed_ms"])
    how = str(raw.get("endings") or "")  # which an older llmstep does not send
    return Generation(candidates, str(raw["model"]), *numbers, bool(raw["cached"]), how)


def read_error(raw: Mapping[str, Any]) -> errors.LlmstepError:
    """The error of a line, of the class that its code names."""
    known = {kind.code: kind for kind in reversed(_kinds(errors.LlmstepError))}  # of those with one code, the widest
    kind = known.get(str(raw.get("code")), errors.ModelError)
    return kind(str(raw["message"]), hint=str(raw.get("hint") or ""))


def _kinds(kind: type[errors.LlmstepError]) -> list[type[errors.LlmstepError]]:
    """`kind` and the classes below it that the module of errors has: the others take other arguments."""
    below = [each for each in kind.__subclasses__() if each.__module__ == errors.__name__]
    return [kind, *(found for each in below for found in _kinds(each))]
