"""How a model's tokenizer writes a chat: the Jinja rule of its files, with what transformers gives to such rules."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from llmstep.errors import GenerationError
from llmstep.strict_json import JsonError, loads

RULE = "chat_template.jinja"
_GENERATION = re.compile(r"\{%(-?)\s*(?:end)?generation\s*(-?)%\}")
"""Marks of transformers around what the model said, for training."""
_TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token")


def written_chat(
    folder: Path, messages: Sequence[tuple[str, str]], *, answer: bool = True, values: Mapping[str, Any] | None = None
) -> str | None:
    """The text of a chat, ready for the model's turn; None where the tokenizer in the folder has no rule for it.

    Args:
        folder: The files of the tokenizer.
        messages: Roles and contents.
        answer: Whether the beginning of the model's turn stands behind them.
        values: What else the rule may ask for.

    Raises:
        GenerationError: The rule does not take these messages. It is text from a stranger and runs in a sandbox.
    """
    settings = _settings(folder)
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
        return environment.from_string(_GENERATION.sub(_as_comment, rule)).render(**given)
    except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
        raise GenerationError(
            f"The model's chat template does not accept these messages: {error}.",
            hint="Send other roles, or a plain prompt to /v1/completions.",
        ) from None


def _settings(folder: Path) -> dict[str, Any]:
    try:
        found = loads((folder / "tokenizer_config.json").read_bytes(), lenient=True)
    except (OSError, JsonError):
        return {}
    return found if isinstance(found, dict) else {}


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


def _as_comment(mark: re.Match[str]) -> str:
    return f"{{#{mark[1]} {mark[2]}#}}"


def _refuse(message: object) -> NoReturn:
    raise ValueError(message)
