"""How a model writes a chat: the Jinja rule of its tokenizer, and a template with the markers that the rule gives.

The rule writes a chat once, with a mark for what the user says. What stands before the mark and behind it becomes part
of the template, so that cutting, prefixes and stops work as with any other.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NoReturn

import attrs

from llmstep.catalog.cleaning import THOUGHTS, has_thought
from llmstep.catalog.files import read_json
from llmstep.catalog.template import ASSISTANT, USER, PromptTemplate
from llmstep.errors import GenerationError, ModelLoadError

SAID: Final = "What-the-user-says-stands-here"
_ANSWERED: Final = "What-the-model-answers-stands-here"
_PLACE: Final = re.compile(r"\{\w+\}")
_MAX_LENGTH: Final = 20_000
"""Characters around what the user says; a system prompt may be long."""
NO_THOUGHT: Final = {"enable_thinking": False, "thinking": False}
RULE = "chat_template.jinja"
_GENERATION = re.compile(r"\{%(-?)\s*(?:end)?generation\s*(-?)%\}")
"""Marks of transformers around what the model said, for training."""
_TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token")


Rule = Callable[..., "str | None"]
"""Writes a chat, as `written_chat` does for its folder."""


def in_own_words(template: PromptTemplate, rule: Rule, *, thinks: bool | None = None) -> PromptTemplate:
    """A template whose turns have the markers that a rule writes.

    One without turns of its own stays as it is, and so does one whose turns the rule does not write.

    Args:
        thinks: Whether the model may write a thought; None asks the rule whether it has something to say about that.
    """
    if not template.own_turns:
        return template
    values = rule_values(template)
    written = _tried(rule, [("user", SAID)], answer=True, values=values)
    if written.count(SAID) != 1 or len(written) > _MAX_LENGTH or _PLACE.search(written):
        return template
    before, _, after = written.partition(SAID)
    said = template.text.removeprefix(USER).partition(ASSISTANT)[0]
    closing = next((f"\n{end}\n\n" for begin, end in THOUGHTS if after.rstrip().endswith(begin)), "")
    silent = bool(closing) and not template.thinking_tokens  # a model that is made to think is given an empty thought
    end = _tried(rule, [("user", SAID), ("assistant", _ANSWERED)], answer=False, values=values)
    end = end.rpartition(_ANSWERED)[2].strip()
    known = len(end) < 40 and re.search(r"\W", end) and not re.search(r"\s", end)
    return attrs.evolve(
        template,
        thinking_tokens=template.thinking_tokens if (_thinks(rule, written) if thinks is None else thinks) else 0,
        text=before + said + after + (closing if silent else "") + "{prefix}",
        prefix_lead="" if silent else closing,
        stops=tuple(dict.fromkeys((*template.stops, *((end,) if known else ())))),
        special="none",
        own_turns=False,
        in_thought=bool(closing) and not silent,
    )


def rule_values(template: PromptTemplate) -> dict[str, Any]:
    """What rules ask for about thoughts; they have no common name for it."""
    values: dict[str, Any] = {"reasoning_effort": template.effort} if template.effort else {}
    return values if template.thinking_tokens else {**values, **NO_THOUGHT}


def _thinks(rule: Rule, written: str) -> bool:
    """Whether a rule opens a thought, or writes another prompt where none is wanted."""
    if has_thought(written) or "<|channel|>" in written:
        return True
    with_one, without = (_tried(rule, [("user", SAID)], answer=True, values=values) for values in ({}, NO_THOUGHT))
    return bool(with_one) and bool(without) and with_one != without


def _tried(rule: Rule, messages: Sequence[tuple[str, str]], **how: Any) -> str:
    """The chat; empty where there is no rule, or it does not take this chat."""
    with contextlib.suppress(GenerationError):
        return rule(messages, **how) or ""
    return ""


def written_chat(
    folder: Path, messages: Sequence[tuple[str, str]], *, answer: bool = True, values: Mapping[str, Any] | None = None
) -> str | None:
    """The text of a chat, ready for the model's turn; None where the tokenizer in the folder has no rule for it.

    Args:
        answer: Whether the beginning of the model's turn stands behind the messages.
        values: What else the rule may ask for.

    Raises:
        GenerationError: The rule does not take these messages. It is text from a stranger and runs in a sandbox.
    """
    settings: dict[str, Any] = {}
    with contextlib.suppress(ModelLoadError):
        settings = read_json(folder / "tokenizer_config.json")
    rule = _rule(folder, settings)
    if not rule:
        return None
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: datetime.now().strftime(str(form))}
    environment.filters["tojson"] = lambda value, **more: json.dumps(value, ensure_ascii=False, **more)
    given: dict[str, Any] = {name: _text(settings.get(name)) for name in _TOKENS if settings.get(name)}
    given |= {"tools": None, "documents": None, "add_generation_prompt": answer, **(values or {})}
    given["messages"] = [{"role": role, "content": content} for role, content in messages]
    try:
        return environment.from_string(_GENERATION.sub(r"{#\1 \2#}", rule)).render(**given)
    except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
        raise GenerationError(
            f"The model's chat template does not accept these messages: {error}.",
            hint="Send other roles, or a plain prompt to /v1/completions.",
        ) from None


def _rule(folder: Path, settings: dict[str, Any]) -> str:
    """The rule of a file of its own, or of the tokenizer's configuration, which may have several by name."""
    file = folder / RULE
    if file.is_file():
        return file.read_text(encoding="utf-8", errors="replace")
    rule = settings.get("chat_template")
    if isinstance(rule, list):
        named = {each.get("name"): each.get("template") for each in rule if isinstance(each, dict)}
        rule = named.get("default")
    return rule if isinstance(rule, str) else ""


def _text(token: Any) -> str:
    """A special token as configurations write it: its text, or an object with it."""
    return str(token.get("content", "")) if isinstance(token, dict) else str(token)


def _refuse(message: object) -> NoReturn:
    raise ValueError(message)
