"""What servers are asked: the next step for a goal, or the next turn of a conversation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.catalog.registry import find_record
from llmstep.catalog.template import PromptTemplate
from llmstep.catalog.templates import guess_template, template_for
from llmstep.engine.chat_form import NO_THOUGHT
from llmstep.engine.postprocess import RawSample
from llmstep.engine.prompt import fitted_text
from llmstep.engine.remote.dialects import PATHS, Api, Dialect, Question
from llmstep.errors import ModelError
from llmstep.types import PromptInput, SamplingParams

if TYPE_CHECKING:
    from llmstep.engine.text import Turn
    from llmstep.settings import Settings

BYTES_PER_TOKEN = 3
"""Of goals and Lean code, about: the server's tokenizer is not here, and this estimate is rather too low."""

_ESTIMATE_MARGIN = 512
"""Tokens that a prompt may have more than the estimate says."""

_TURN = re.compile(r"<\|im_start\|>(\w+)\n(.*?)(?:<\|im_end\|>\n?|\Z)", re.DOTALL)


def next_turn(dialect: Dialect, model: str, turns: Sequence[Turn], sampling: SamplingParams) -> Question:
    """A conversation to go on with, by one answer."""
    return Question(
        model=model,
        api=dialect.turns,
        path=dialect.turns_root + PATHS[dialect.turns],
        said={"messages": [{"role": role, "content": said} for role, said in turns]},
        sampling=attrs.evolve(sampling, count=1),
        max_tokens=sampling.max_new_tokens,
        context=sum(tokens(said) for _, said in turns) + sampling.max_new_tokens,
        scored=False,
    )


def next_step(
    model: str, api: Api, template: PromptTemplate, prompt_input: PromptInput, sampling: SamplingParams, budget: int
) -> Question:
    """A goal, in the words of a template.

    Args:
        budget: Most tokens of the prompt, by the estimate.
    """
    as_chat = is_chat(api, template)
    step_tokens = min(sampling.max_new_tokens, template.max_new_tokens)
    max_tokens = step_tokens + template.thinking_tokens
    said = _messages(template, prompt_input, budget) if as_chat else fitted_text(template, prompt_input, tokens, budget)
    if isinstance(said, list) and api == "ollama":
        said = str(said[-1]["content"])
    about: dict[str, Any] = {}
    if api == "ollama":
        about = {"raw": True} if not as_chat else {} if template.thinking_tokens else {"think": False}
    elif as_chat and template.own_turns:
        about = {"reasoning_effort": template.effort} if template.effort else {}
        about |= {} if template.thinking_tokens else {"chat_template_kwargs": dict(NO_THOUGHT)}
    return Question(
        model=model,
        api=api,
        path=PATHS[api],
        said={"prompt": said} if isinstance(said, str) else {"messages": said},
        sampling=sampling,
        max_tokens=max_tokens,
        context=(min(budget, tokens(said) + _ESTIMATE_MARGIN) if isinstance(said, str) else budget) + max_tokens,
        # A chat model ends its answers itself, and may write stops in between.
        stops=() if as_chat and (template.own_turns or not template.chat) else template.stops,
        about_thoughts=about,
        step_tokens=step_tokens if template.thinking_tokens else 0,
        in_thought=template.in_thought,
    )


def is_chat(api: Api, template: PromptTemplate) -> bool:
    """Whether the server writes the turns, by the rule of its model."""
    return api == "chat" or (api == "ollama" and template.own_turns)


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
    general = "instruct" if settings.remote.api == "chat" else ""
    template = template_for(
        settings, model, record.template if record else "", guess_template(model, "causal"), general
    )
    if template.family != "causal":
        raise ModelError(
            f"The template {template.name} is for encoder-decoder models, which OpenAI-compatible servers do not run.",
            hint="Set llmstep.template to another one, or use a `llmstep serve` with that model.",
        )
    return template if record is None else template.stopping(record.stops)
