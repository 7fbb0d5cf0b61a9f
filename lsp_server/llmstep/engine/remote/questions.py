"""What servers are asked: the next step for a goal, or the next turn of a conversation, in the fields of their kind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from llmstep.catalog.registry import find_record
from llmstep.catalog.template import PromptTemplate
from llmstep.catalog.templates import guess_template, template_for
from llmstep.engine.chat_form import NO_THOUGHT
from llmstep.engine.interface import Turn
from llmstep.engine.postprocess import RawSample
from llmstep.engine.prompt import fitted_text
from llmstep.errors import ModelError
from llmstep.settings import Settings
from llmstep.types import PromptInput, SamplingParams

OLLAMA_PORT = 11434
"""Where Ollama listens by default."""
MAX_STOPS = 4
"""OpenAI's own servers take no more."""
BYTES_PER_TOKEN = 3
"""Of goals and Lean code, about: the server's tokenizer is not here, and this estimate is rather too low."""
_ESTIMATE_MARGIN = 512
"""Tokens that a prompt may have more than the estimate says."""
_TURN = re.compile(r"<\|im_start\|>(\w+)\n(.*?)(?:<\|im_end\|>\n?|\Z)", re.DOTALL)


@attrs.frozen(kw_only=True)
class Question:
    """What a page of a server is asked for."""

    model: str
    page: Page
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
    about_thoughts: Mapping[str, Any] = attrs.field(factory=dict)
    """Fields that ask for a thought, or for none."""
    step_tokens: int = 0
    """Most tokens behind a thought; 0 where a sample has one limit."""
    in_thought: bool = False
    """The samples begin within a thought."""

    def body(self, count: int, seed: int | None, without: frozenset[str]) -> dict[str, Any]:
        """The request for so many samples, without the fields that the server does not take."""
        how: dict[str, Any] = {"temperature": self.sampling.temperature, "top_p": self.sampling.top_p}
        if seed is not None:
            how["seed"] = seed
        return {name: value for name, value in self.page.body(self, count, how, without).items() if name not in without}


@attrs.frozen
class Page:
    """A page that continues texts: where it is, and the body of a request, from how it is to be drawn."""

    path: str
    body: Callable[[Question, int, dict[str, Any], frozenset[str]], dict[str, Any]]
    chat: bool = False


def _openai(question: Question, count: int, how: dict[str, Any], without: frozenset[str]) -> dict[str, Any]:
    # The newest models of OpenAI itself know the limit by another name.
    limit = "max_completion_tokens" if "max_tokens" in without else "max_tokens"
    body = {"model": question.model, **question.said, limit: question.max_tokens, **how, **question.about_thoughts}
    body["stream"] = True
    if question.scored:
        body |= {"n": count, "logprobs": True if question.page.chat else 1}
    if question.stops:
        body["stop"] = list(question.stops[:MAX_STOPS])
    if count == 1 and how["temperature"] > 0:
        # `transformers serve`, which takes one sample a request, decodes greedily unless it reads this.
        body["generation_config"] = json.dumps({"do_sample": True, "top_k": 0})
    return body


def _llama_cpp(question: Question, count: int, how: dict[str, Any], _: frozenset[str]) -> dict[str, Any]:
    """Only what is asked for shapes the distribution: its server has penalties and a nucleus by default."""
    limits = {"n": count, "n_predict": question.max_tokens, "stop": list(question.stops)}
    return {**question.said, **how, **limits, "samplers": ["temperature", "top_p"], "n_probs": 1, "stream": True}


def _ollama(question: Question, _: int, how: dict[str, Any], _without: frozenset[str]) -> dict[str, Any]:
    """`raw` keeps the model's chat template away from a prompt; 0 and 1 end filters that are on by default."""
    how |= {"num_predict": question.max_tokens, "num_ctx": question.context, "stop": list(question.stops)}
    how |= {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0}
    body = {"model": question.model, **question.said, **question.about_thoughts, "stream": True, "options": how}
    return {**body, "logprobs": True} if question.scored else body


COMPLETIONS: Final = Page("/completions", _openai)
CHAT: Final = Page("/chat/completions", _openai, chat=True)
_OLLAMA_PROMPT: Final = Page("/api/generate", _ollama)


@attrs.frozen
class Dialect:
    """What one kind of server speaks."""

    steps: tuple[Page, ...] = (COMPLETIONS, CHAT)
    """For steps, the best first."""
    turns: Page = CHAT
    """For conversations."""
    names: tuple[str, str, str] = ("/models", "data", "id")
    """The page that lists models, the field with the list, and that with a name."""

    def addressed(self, settings: Settings) -> Settings:
        """The settings with the address that its own pages are below."""
        if self is not OLLAMA:
            return settings
        url = re.sub(r"/(v1|api)/*$", "", settings.remote.url.strip()) or f"http://127.0.0.1:{OLLAMA_PORT}"
        return attrs.evolve(settings, engine="ollama", remote=attrs.evolve(settings.remote, url=url))


OPENAI: Final = Dialect()
LLAMA_CPP: Final = Dialect((Page("/completion", _llama_cpp),), attrs.evolve(CHAT, path="/v1/chat/completions"))
OLLAMA: Final = Dialect((_OLLAMA_PROMPT,), Page("/api/chat", _ollama, chat=True), names=("/api/tags", "models", "name"))
"""Its OpenAI-compatible pages put every prompt into the model's chat template, so that its own ones are asked."""


def is_ollama(url: str) -> bool:
    return re.search(rf":{OLLAMA_PORT}(/|$)", url) is not None


def next_turn(dialect: Dialect, model: str, turns: Sequence[Turn], sampling: SamplingParams) -> Question:
    """A conversation to go on with, by one answer."""
    return Question(
        model=model,
        page=dialect.turns,
        said={"messages": [{"role": role, "content": said} for role, said in turns]},
        sampling=attrs.evolve(sampling, count=1),
        max_tokens=sampling.max_new_tokens,
        context=sum(tokens(said) for _, said in turns) + sampling.max_new_tokens,
        scored=False,
    )


def next_step(
    model: str, page: Page, template: PromptTemplate, prompt_input: PromptInput, sampling: SamplingParams, budget: int
) -> Question:
    """A goal, in the words of a template, with at most `budget` tokens of the prompt, by the estimate."""
    as_chat = is_chat(page, template)
    step_tokens = min(sampling.max_new_tokens, template.max_new_tokens)
    max_tokens = step_tokens + template.thinking_tokens
    said: dict[str, Any]
    about: dict[str, Any] = {}
    if as_chat:
        said = {"messages": _messages(template, prompt_input, budget)}
    else:
        said = {"prompt": fitted_text(template, prompt_input, tokens, budget)}
    if page is _OLLAMA_PROMPT:
        said = said if not as_chat else {"prompt": str(said["messages"][-1]["content"])}
        about = {"raw": True} if not as_chat else {} if template.thinking_tokens else {"think": False}
    elif as_chat and template.own_turns:
        about = {"reasoning_effort": template.effort} if template.effort else {}
        about |= {} if template.thinking_tokens else {"chat_template_kwargs": dict(NO_THOUGHT)}
    return Question(
        model=model,
        page=page,
        said=said,
        sampling=sampling,
        max_tokens=max_tokens,
        context=max_tokens + (min(budget, tokens(said["prompt"]) + _ESTIMATE_MARGIN) if "prompt" in said else budget),
        # A chat model ends its answers itself, and may write stops in between.
        stops=() if as_chat and (template.own_turns or not template.chat) else template.stops,
        about_thoughts=about,
        step_tokens=step_tokens if template.thinking_tokens else 0,
        in_thought=template.in_thought,
    )


def is_chat(page: Page, template: PromptTemplate) -> bool:
    """Whether the server writes the turns, by the rule of its model."""
    return page.chat or (page is _OLLAMA_PROMPT and template.own_turns)


def _messages(template: PromptTemplate, prompt_input: PromptInput, budget: int) -> list[dict[str, Any]]:
    """The turns of a prompt. No server's chat lets one begin the answer, so that the prefix becomes a wish."""
    text = fitted_text(template, attrs.evolve(prompt_input, prefix=""), tokens, budget)
    turns = _TURN.findall(text) if template.chat else [("user", text)]
    messages = [{"role": role, "content": said} for role, said in turns if role != "assistant" or said]
    if prefix := prompt_input.prefix.strip():
        messages[-1]["content"] += f"\nYour answer must begin with these characters: {prefix}"
    return messages


def continuing(template: PromptTemplate, prefix: str, samples: Iterable[RawSample]) -> list[RawSample]:
    """The samples of a chat that begin with the prefix, as ones that continue it."""
    texts = ((template.clean(each.text), each) for each in samples)
    return [attrs.evolve(each, text=text[len(prefix) :]) for text, each in texts if text.startswith(prefix)]


def tokens(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def template_of(settings: Settings, model: str) -> PromptTemplate:
    """The template for a model at a server: that of the settings, of the catalog, or a guess by its name.

    Raises:
        ModelError: There is none, or the settings' one is for another kind of model.
    """
    record = find_record(model)
    of_record = record.template if record else ""
    general = "instruct" if settings.remote.api == "chat" else ""
    template = template_for(settings, model, of_record, guess_template(model, "causal"), general)
    if template.family != "causal":
        raise ModelError(
            f"The template {template.name} is for encoder-decoder models, which OpenAI-compatible servers do not run.",
            hint="Set llmstep.template to another one, or use a `llmstep serve` with that model.",
        )
    return template if record is None else template.stopping(record.stops)
