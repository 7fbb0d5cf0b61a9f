"""What OpenAI-compatible servers are asked, for a template and a goal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import attrs

from llmstep.catalog.models import find_record
from llmstep.catalog.templates import get_template, guess_template
from llmstep.engine.prompt import fitted_text
from llmstep.errors import ModelError

if TYPE_CHECKING:
    from llmstep.catalog.template import PromptTemplate
    from llmstep.engine.postprocess import RawSample
    from llmstep.settings import Settings
    from llmstep.types import Ask, Sampling

Api = Literal["completions", "chat"]
PATHS: dict[Api, str] = {"completions": "/completions", "chat": "/chat/completions"}

MOST_STOPS = 4
"""OpenAI's own servers take no more."""
BYTES_PER_TOKEN = 3
"""Of goals and Lean code, about: the server's tokenizer is not here, and this estimate is rather too low."""

_TURN = re.compile(r"<\|im_start\|>(\w+)\n(.*?)(?:<\|im_end\|>\n?|\Z)", re.DOTALL)


@attrs.frozen
class Question:
    """One goal for one server."""

    model: str
    api: Api
    template: PromptTemplate
    ask: Ask
    sampling: Sampling
    budget: int
    """Most tokens of the prompt, by the estimate."""

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts that end a sample. A chat model ends its answers itself, and may write them in between."""
        return () if self.api == "chat" and not self.template.chat else self.template.stops

    def body(self, count: int, seed: int | None, without: frozenset[str]) -> dict[str, Any]:
        """The request.

        Args:
            count: Number of samples.
            seed: See `Sampling`.
            without: Fields that the server does not take.
        """
        sampling = self.sampling
        body: dict[str, Any] = {
            "model": self.model,
            **self._prompt(),
            "n": count,
            _longest(without): min(sampling.max_new_tokens, self.template.max_new_tokens),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stream": True,
            "logprobs": True if self.api == "chat" else 1,
        }
        if self.stops:
            body["stop"] = list(self.stops[:MOST_STOPS])
        if seed is not None:
            body["seed"] = seed
        return {name: value for name, value in body.items() if name not in without}

    def _prompt(self) -> dict[str, Any]:
        if self.api == "completions":
            return {"prompt": fitted_text(self.template, self.ask, tokens, self.budget)}
        # No server's chat lets one begin the answer, so that the prefix becomes a wish; `sample` holds it to that.
        text = fitted_text(self.template, attrs.evolve(self.ask, prefix=""), tokens, self.budget)
        turns = _TURN.findall(text) if self.template.chat else [("user", text)]
        messages = [{"role": role, "content": said} for role, said in turns if role != "assistant" or said]
        prefix = self.ask.prefix.strip()
        if prefix:
            messages[-1]["content"] += f"\nYour answer must begin with these characters: {prefix}"
        return {"messages": messages}

    def sample(self, raw: RawSample) -> RawSample | None:
        """The sample as one that continues the prefix; None for one of a chat that begins otherwise."""
        prefix = self.ask.prefix.strip()
        if self.api == "completions" or not prefix:
            return raw
        text = self.template.clean(raw.text)
        return attrs.evolve(raw, text=text[len(prefix) :]) if text.startswith(prefix) else None


def _longest(without: frozenset[str]) -> str:
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
            f"Which prompt template the model {model} needs is not known.",
            hint="Set llmstep.template to the one it was trained with; for a general model, set it to instruct.",
        )
    template = get_template(name)
    if template.family != "causal":
        raise ModelError(
            f"The template {name} is for encoder-decoder models, which OpenAI-compatible servers do not run.",
            hint="Set llmstep.template to another one, or use a `llmstep serve` with that model.",
        )
    return template if record is None else attrs.evolve(template, stops=(*template.stops, *record.stops))
