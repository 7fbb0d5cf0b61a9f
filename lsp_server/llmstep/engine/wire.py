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
from cattrs import Converter

from llmstep import errors
from llmstep.engine.interface import Generation
from llmstep.progress import Progress
from llmstep.types import Candidate, PromptInput, SamplingParams

PROTOCOL = 1
"""Number of the wire protocol; it changes when old clients would no longer understand the answers."""

CANDIDATES = "/candidates"

SECONDS_BETWEEN_SIGNS = 1.0
"""The server says something this often, so that a client soon notices that it is gone or hangs."""

_READER = Converter(detailed_validation=False)


def request_of(prompt_input: PromptInput, sampling: SamplingParams, key: str) -> dict[str, Any]:
    premises = [[premise.name, premise.code] for premise in prompt_input.premises]
    goal = {"goal": prompt_input.goal.text, "others": list(prompt_input.goal.others), "premises": premises}
    return {**attrs.asdict(prompt_input), **goal, "sampling": attrs.asdict(sampling), "model_key": key}


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
    """The generation of a line, whose candidates are a model's whatever else it says; ValueError where it is none."""
    try:
        made = _READER.structure(raw, Generation)
    except Exception as error:  # cattrs has no class for what is no literal
        raise ValueError("not what the protocol says") from error
    return attrs.evolve(made, candidates=[Candidate(each.text, each.score, each.tokens) for each in made.candidates])


def read_error(raw: Mapping[str, Any]) -> errors.LlmstepError:
    """The error of a line, of the class that its code names."""
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.LlmstepError)]
    known = {kind.code: kind for kind in reversed(kinds)}  # of those with one code, the widest, which stands first
    kind = known.get(str(raw.get("code")), errors.ModelError)
    return kind(str(raw["message"]), hint=str(raw.get("hint") or ""))
