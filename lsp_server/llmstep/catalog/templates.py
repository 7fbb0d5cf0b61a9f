"""The prompt templates by name, as `templates.toml` has them, and which one a model needs."""

from __future__ import annotations

import difflib
import re
from typing import Final

from llmstep.catalog.template import Family, PromptTemplate, read_tables
from llmstep.errors import ModelError
from llmstep.settings import Settings

TEMPLATES: Final = read_tables("templates.toml", PromptTemplate)
"""All templates by name."""

_GUESSES: Final[tuple[tuple[str, Family, str], ...]] = (
    (r"retriever-tacgen", "seq2seq", "byt5-retrieval"),
    (r"retriever|critic", "causal", ""),  # no step models
    (r"retriever|critic", "seq2seq", ""),
    (r"byt5", "seq2seq", "byt5-state"),
    (r"ntp.*(context|ctx)", "causal", "ntp-context"),
    (r"ntp.*(-st|state)", "causal", "ntp-st"),
    (r"llemma", "causal", "llemma"),
    (r"internlm2[_.]5-step", "causal", "internlm25-step"),
    (r"internlm2-step", "causal", "internlm-step"),
    (r"internlm2-math-plus", "causal", "internlm-plus"),
    (r"bfs-prover|openproof-tactic", "causal", "bfs"),
    (r"(goedel|kimina|deepseek)-prover", "causal", "instruct-file"),
    (r"qwen3-[\d.]+b|gpt-oss", "causal", "instruct"),
    (r"llmstep|pythia", "causal", "pythia"),
)


def get_template(name: str) -> PromptTemplate:
    """The template called `name`.

    Raises:
        ModelError: There is none; the hint lists those there are.
    """
    template = TEMPLATES.get(name)
    if template is None:
        near = difflib.get_close_matches(name, TEMPLATES, n=1)
        raise ModelError(
            f"There is no prompt template {name!r}.",
            hint=(f"Did you mean {near[0]!r}? " if near else "")
            + f"Set llmstep.template to one of {', '.join(TEMPLATES)}.",
        )
    return template


def template_for(settings: Settings, model: str, *names: str | None) -> PromptTemplate:
    """The template of the settings, else the first of some names that is one, with what the settings say of thoughts.

    Raises:
        ModelError: There is none.
    """
    name = settings.template or next(filter(None, names), "")
    if not name:
        known = ", ".join(TEMPLATES)
        raise ModelError(
            f"The prompt template of the model {model} is not known.",
            hint=f"Set llmstep.template to the one it was trained with: {known}; for a general model, to instruct.",
        )
    return get_template(name).thinking(settings)


def guess_template(model_id: str, family: Family) -> str | None:
    """The name of the template that a model of this id was most likely trained on, or None."""
    for pattern, of_family, name in _GUESSES:
        if of_family == family and re.search(pattern, model_id.lower()):
            return name or None
    return None
