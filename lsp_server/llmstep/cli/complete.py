"""What a shell offers behind an option, when its user presses Tab."""

from __future__ import annotations


def setting_names(incomplete: str) -> list[str]:
    """`NAME=` of each setting; behind `=` the values that a setting of words takes."""
    import typing

    from llmstep.settings import all_settings

    name, equals, _ = incomplete.partition("=")
    if not equals:
        return [f"{each}=" for each in all_settings() if each.startswith(incomplete)]
    setting = all_settings().get(name)
    values = typing.get_args(setting.type) if setting and typing.get_origin(setting.type) is typing.Literal else ()
    if setting and setting.type is bool:
        values = ("true", "false")
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


def devices(incomplete: str) -> list[str]:
    """The kinds of devices."""
    import typing

    from llmstep.settings import Device

    return [name for name in typing.get_args(Device) if name.startswith(incomplete)]
