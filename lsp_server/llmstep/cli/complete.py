"""What a shell offers behind an option, when its user presses Tab."""

from __future__ import annotations


def setting_names(incomplete: str) -> list[str]:
    """`NAME=` of each setting; behind `=` the values that a setting of words takes."""
    from llmstep.settings import all_settings

    name, equals, _ = incomplete.partition("=")
    if not equals:
        return [f"{each}=" for each in all_settings() if each.startswith(incomplete)]
    setting = all_settings().get(name)
    values = () if setting is None else ("true", "false") if setting.type is bool else setting.choices
    return [f"{name}={value}" for value in values if f"{name}={value}".startswith(incomplete)]


def model_names(incomplete: str) -> list[str]:
    """The models that are known by a name."""
    from llmstep.catalog.registry import all_records
    from llmstep.errors import LlmstepError

    try:
        names = ["auto", *(record.name for record in all_records())]
    except LlmstepError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def template_names(incomplete: str) -> list[str]:
    """The prompt templates."""
    from llmstep.catalog.templates import TEMPLATES

    return [name for name in TEMPLATES if name.startswith(incomplete)]
