"""How the kinds of servers differ: their pages, and the fields of a request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from llmstep.engine.remote.samples import Answer
from llmstep.types import SamplingParams

if TYPE_CHECKING:
    from llmstep.settings import Settings

Api = Literal["completions", "chat", "llama.cpp", "ollama", "ollama-chat"]

OLLAMA_PORT = 11434
"""Where Ollama listens by default."""


@attrs.frozen
class Dialect:
    """What one kind of server speaks."""

    steps: tuple[Api, ...] = ("completions", "chat")
    """For steps, the best first."""
    turns: Api = "chat"
    """For conversations."""
    turns_root: str = ""
    """In front of the page for conversations, where the others do not have it."""
    names: tuple[str, str, str] = ("/models", "data", "id")
    """The page that lists models, the field with the list, and that with a name."""

    def addressed(self, settings: Settings) -> Settings:
        """The settings with the address that its own pages are below."""
        if self is not OLLAMA:
            return settings
        url = re.sub(r"/(v1|api)/*$", "", settings.remote.url.strip()) or f"http://127.0.0.1:{OLLAMA_PORT}"
        return attrs.evolve(settings, engine="ollama", remote=attrs.evolve(settings.remote, url=url))


OPENAI: Final = Dialect()
LLAMA_CPP: Final = Dialect(("llama.cpp",), turns_root="/v1")
OLLAMA: Final = Dialect(("ollama",), "ollama-chat", names=("/api/tags", "models", "name"))
"""Its OpenAI-compatible pages put every prompt into the model's chat template, so that its own ones are asked."""

PATHS: Final[dict[Api, str]] = {
    "completions": "/completions",
    "chat": "/chat/completions",
    "llama.cpp": "/completion",
    "ollama": "/api/generate",
    "ollama-chat": "/api/chat",
}

MAX_STOPS = 4
"""OpenAI's own servers take no more."""


def is_ollama(url: str) -> bool:
    """Whether a server is at Ollama's usual port."""
    return re.search(rf":{OLLAMA_PORT}(/|$)", url) is not None


@attrs.frozen(kw_only=True)
class Question:
    """What one server is asked for, and how."""

    model: str
    api: Api
    path: str
    said: Mapping[str, Any]
    """The prompt or the messages, as fields of the request."""
    sampling: SamplingParams
    max_tokens: int
    """Of a whole sample, a thought included."""
    context: int
    """Tokens of prompt and sample together, for a server that has to be told."""
    scored: bool = True
    """Several samples with their log-probabilities are wanted."""
    stops: tuple[str, ...] = ()
    """Texts that end a sample."""
    about_thoughts: Mapping[str, Any] = attrs.field(factory=dict)
    """Fields that ask for a thought, or for none."""
    step_tokens: int = 0
    """Most tokens behind a thought; 0 where a sample has one limit."""
    in_thought: bool = False
    """The samples begin within a thought."""

    def body(self, count: int, seed: int | None, without: frozenset[str]) -> dict[str, Any]:
        """The request.

        Args:
            count: Number of samples.
            seed: See `SamplingParams`.
            without: Fields that the server does not take.
        """
        how: dict[str, Any] = {"temperature": self.sampling.temperature, "top_p": self.sampling.top_p}
        if seed is not None:
            how["seed"] = seed
        make = {"llama.cpp": _llama_cpp, "ollama": _ollama, "ollama-chat": _ollama}.get(self.api, _openai)
        return {name: value for name, value in make(self, count, how, without).items() if name not in without}

    def heard(self, count: int) -> Answer:
        """Takes the answer to a request for `count` samples."""
        maximum = 0 if self.scored else self.max_tokens
        return Answer(count, self.stops, self.step_tokens, inside=self.in_thought, maximum=maximum)


def _openai(question: Question, count: int, how: dict[str, Any], without: frozenset[str]) -> dict[str, Any]:
    # The newest models of OpenAI itself know the limit by another name.
    limit = "max_completion_tokens" if "max_tokens" in without else "max_tokens"
    body = {"model": question.model, **question.said, limit: question.max_tokens, **how, **question.about_thoughts}
    body["stream"] = True
    if question.scored:
        body |= {"n": count, "logprobs": True if question.api == "chat" else 1}
    if question.stops:
        body["stop"] = list(question.stops[:MAX_STOPS])
    if count == 1 and how["temperature"] > 0:
        # `transformers serve`, which takes one sample a request, decodes greedily unless it reads this.
        body["generation_config"] = json.dumps({"do_sample": True, "top_k": 0})
    return body


def _llama_cpp(question: Question, count: int, how: dict[str, Any], _: frozenset[str]) -> dict[str, Any]:
    """Only what is asked for shapes the distribution: its server has penalties and a nucleus by default."""
    return {
        **question.said,
        **how,
        "n": count,
        "n_predict": question.max_tokens,
        "samplers": ["temperature", "top_p"],
        "n_probs": 1,
        "stop": list(question.stops),
        "stream": True,
    }


def _ollama(question: Question, _: int, how: dict[str, Any], _without: frozenset[str]) -> dict[str, Any]:
    """`raw` keeps the model's chat template away from a prompt; 0 and 1 end filters that are on by default."""
    how |= {"num_predict": question.max_tokens, "num_ctx": question.context, "stop": list(question.stops)}
    how |= {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0}
    body = {"model": question.model, **question.said, **question.about_thoughts, "stream": True, "options": how}
    if question.scored:
        body["logprobs"] = True
    return body
