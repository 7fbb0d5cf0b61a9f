"""What servers are asked, for a goal or in a conversation: in OpenAI's words, or in those of llama.cpp and Ollama."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal, Protocol

import attrs

from llmstep.catalog.registry import find_record
from llmstep.catalog.templates import get_template, guess_template
from llmstep.engine.chat_form import NO_THOUGHT
from llmstep.engine.prompt import fitted_text
from llmstep.engine.remote.samples import Answer
from llmstep.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstep.catalog.template import PromptTemplate
    from llmstep.engine.conversation import Turn
    from llmstep.engine.postprocess import RawSample
    from llmstep.settings import Settings
    from llmstep.types import PromptInput, SamplingParams

Api = Literal["completions", "chat", "llama.cpp", "ollama"]
PATHS: dict[Api, str] = {
    "completions": "/completions",
    "chat": "/chat/completions",
    "llama.cpp": "/completion",
    "ollama": "/api/generate",
}

MAX_STOPS = 4
"""OpenAI's own servers take no more."""
BYTES_PER_TOKEN = 3
"""Of goals and Lean code, about: the server's tokenizer is not here, and this estimate is rather too low."""

_ESTIMATE_MARGIN = 512
"""Tokens that a prompt may have more than the estimate says."""

_TURN = re.compile(r"<\|im_start\|>(\w+)\n(.*?)(?:<\|im_end\|>\n?|\Z)", re.DOTALL)


class Asked(Protocol):
    """What a server is asked: one goal, or the next words of a conversation."""

    @property
    def path(self) -> str: ...
    @property
    def sampling(self) -> SamplingParams: ...
    @property
    def stops(self) -> tuple[str, ...]:
        """Texts that end a sample."""

    def body(self, count: int, seed: int | None, without: frozenset[str]) -> dict[str, Any]:
        """The request.

        Args:
            count: Number of samples.
            seed: See `SamplingParams`.
            without: Fields that the server does not take.
        """

    def heard(self, count: int) -> Answer:
        """Takes the answer to a request for `count` samples."""


@attrs.frozen
class Speech:
    """A conversation to go on with."""

    model: str
    turns: Sequence[Turn]
    sampling: SamplingParams
    path: str = PATHS["chat"]
    ollama: bool = False
    """The path is that of Ollama's own protocol, whose context can be made long enough."""
    stops: tuple[str, ...] = ()

    def body(self, _: int, seed: int | None, without: frozenset[str]) -> dict[str, Any]:
        """See `Asked.body`."""
        sampling = self.sampling
        messages = [{"role": role, "content": said} for role, said in self.turns]
        how = {"temperature": sampling.temperature, "top_p": sampling.top_p, **_seeded(seed)}
        if self.ollama:
            length = sum(tokens(said) for _, said in self.turns) + sampling.max_new_tokens
            how |= {"num_predict": sampling.max_new_tokens, "num_ctx": length}
            return {"model": self.model, "messages": messages, "stream": True, "options": how}
        how |= {
            "model": self.model,
            "messages": messages,
            "stream": True,
            _limit_field(without): sampling.max_new_tokens,
        }
        return {name: value for name, value in how.items() if name not in without}

    def heard(self, count: int) -> Answer:
        return Answer(count, (), maximum=self.sampling.max_new_tokens)


@attrs.frozen
class Question:
    """One goal for one server."""

    model: str
    api: Api
    template: PromptTemplate
    ask: PromptInput
    sampling: SamplingParams
    budget: int
    """Most tokens of the prompt, by the estimate."""

    @property
    def path(self) -> str:
        return PATHS[self.api]

    @property
    def as_chat(self) -> bool:
        """Whether the server writes the turns, by the rule of its model."""
        return self.api == "chat" or (self.api == "ollama" and self.template.own_turns)

    def heard(self, count: int) -> Answer:
        """See `Asked.heard`; a step behind a thought has a limit of its own."""
        max_tokens = min(self.sampling.max_new_tokens, self.template.max_new_tokens)
        return Answer(
            count, self.stops, max_tokens if self.template.thinking_tokens else 0, inside=self.template.in_thought
        )

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts that end a sample. A chat model ends its answers itself, and may write them in between."""
        return () if self.as_chat and (self.template.own_turns or not self.template.chat) else self.template.stops

    def body(self, count: int, seed: int | None, without: frozenset[str]) -> dict[str, Any]:
        """See `Asked.body`."""
        max_tokens = min(self.sampling.max_new_tokens, self.template.max_new_tokens) + self.template.thinking_tokens
        if self.api == "llama.cpp":
            body = self._for_llama_cpp(count, seed, max_tokens)
        elif self.api == "ollama":
            body = self._for_ollama(seed, max_tokens)
        else:
            body = self._for_openai(count, seed, max_tokens, without)
        return {name: value for name, value in body.items() if name not in without}

    def _for_openai(self, count: int, seed: int | None, max_tokens: int, without: frozenset[str]) -> dict[str, Any]:
        sampling = self.sampling
        body: dict[str, Any] = {
            "model": self.model,
            **self._prompt(),
            "n": count,
            _limit_field(without): max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stream": True,
            "logprobs": True if self.api == "chat" else 1,
            **_seeded(seed),
        }
        if self.as_chat and self.template.own_turns:
            if self.template.effort:
                body["reasoning_effort"] = self.template.effort
            if not self.template.thinking_tokens:
                body["chat_template_kwargs"] = dict(NO_THOUGHT)
        if self.stops:
            body["stop"] = list(self.stops[:MAX_STOPS])
        if count == 1 and sampling.temperature > 0:
            # `transformers serve`, which takes one sample a request, decodes greedily unless it reads this.
            body["generation_config"] = json.dumps({"do_sample": True, "top_k": 0})
        return body

    def _for_llama_cpp(self, count: int, seed: int | None, max_tokens: int) -> dict[str, Any]:
        """Only what is asked for shapes the distribution: its server has penalties and a nucleus by default."""
        return {
            **self._prompt(),
            "n": count,
            "n_predict": max_tokens,
            "samplers": ["temperature", "top_p"],
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "n_probs": 1,
            "stop": list(self.stops),
            "stream": True,
            **_seeded(seed),
        }

    def _for_ollama(self, seed: int | None, max_tokens: int) -> dict[str, Any]:
        """`raw` keeps the model's chat template away from the prompt; 0 and 1 end filters that are on by default."""
        prompt = self._prompt()
        options = {
            "num_predict": max_tokens,
            "num_ctx": min(self.budget, tokens(prompt["prompt"]) + _ESTIMATE_MARGIN) + max_tokens,
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "top_k": 0,
            "min_p": 0.0,
            "repeat_penalty": 1.0,
            "stop": list(self.stops),
            **_seeded(seed),
        }
        rest = {"stream": True, "logprobs": True, "options": options}
        if not self.as_chat:
            return {"model": self.model, **prompt, "raw": True, **rest}
        silent = {} if self.template.thinking_tokens else {"think": False}
        return {"model": self.model, **prompt, **silent, **rest}

    def _prompt(self) -> dict[str, Any]:
        if not self.as_chat:
            return {"prompt": fitted_text(self.template, self.ask, tokens, self.budget)}
        # No server's chat lets one begin the answer, so that the prefix becomes a wish; `sample` holds it to that.
        text = fitted_text(self.template, attrs.evolve(self.ask, prefix=""), tokens, self.budget)
        turns = _TURN.findall(text) if self.template.chat else [("user", text)]
        messages = [{"role": role, "content": said} for role, said in turns if role != "assistant" or said]
        prefix = self.ask.prefix.strip()
        if prefix:
            messages[-1]["content"] += f"\nYour answer must begin with these characters: {prefix}"
        return {"messages": messages} if self.api == "chat" else {"prompt": messages[-1]["content"]}

    def sample(self, raw: RawSample) -> RawSample | None:
        """The sample as one that continues the prefix; None for one of a chat that begins otherwise."""
        prefix = self.ask.prefix.strip()
        if not self.as_chat or not prefix:
            return raw
        text = self.template.clean(raw.text)
        return attrs.evolve(raw, text=text[len(prefix) :]) if text.startswith(prefix) else None


def _seeded(seed: int | None) -> dict[str, Any]:
    return {} if seed is None else {"seed": seed}


def _limit_field(without: frozenset[str]) -> str:
    """The field for the longest answer; the newest models of OpenAI itself know it by another name."""
    return "max_completion_tokens" if "max_tokens" in without else "max_tokens"


def tokens(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def template_of(settings: Settings, model: str) -> PromptTemplate:
    """The template for a model at a server: that of the settings, of the catalog, or a guess by its name.

    Raises:
        ModelError: There is none, or the settings' one is for another kind of model.
    """
    record = find_record(model)
    name = settings.template or (record.template if record else "") or guess_template(model, "causal")
    if not name and settings.remote.api == "chat":
        name = "instruct"
    if not name:
        raise ModelError(
            f"The prompt template of the model {model} is not known.",
            hint="Set llmstep.template to the one it was trained with; for a general model, set it to instruct.",
        )
    template = get_template(name).thinking(settings)
    if template.family != "causal":
        raise ModelError(
            f"The template {name} is for encoder-decoder models, which OpenAI-compatible servers do not run.",
            hint="Set llmstep.template to another one, or use a `llmstep serve` with that model.",
        )
    return template if record is None else attrs.evolve(template, stops=(*template.stops, *record.stops))
