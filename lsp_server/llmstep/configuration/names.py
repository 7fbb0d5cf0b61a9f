"""All settings by their full names (`remote.apiKeyFile`), the environment's names for them, and values from texts."""

from __future__ import annotations

import functools
import json
import shlex
import sys
import typing
from collections.abc import Mapping  # noqa: TC003 attrs reads the annotations
from typing import Any

import attrs

from llmstep.setting_values import wire_name
from llmstep.settings import Settings

PREFIX = "LLMSTEP_"
OLD_VARIABLES = {"LLMSTEP_PORT": "http.port"}
"""Other variables for settings: the Lean tactic reads this one as well."""


@attrs.frozen
class Setting:
    """One setting."""

    name: str
    """As editors write it, with dots."""
    field: str
    """As Python writes it, with dots."""
    type: Any
    default: Any
    metadata: Mapping[str, Any]

    @property
    def variable(self) -> str:
        """`LLMSTEP_REMOTE_API_KEY_FILE`."""
        return PREFIX + self.field.replace(".", "_").upper()

    @property
    def users(self) -> bool:
        """Whether only the user may set it, and no project: it names a command, a place or a server, or gives leave."""
        return bool(self.metadata.get("users"))

    def read(self, settings: Settings) -> Any:
        """Its value."""
        return functools.reduce(getattr, self.field.split("."), settings)

    def value(self, text: str) -> Any:
        """The value that a text means; one that it cannot mean stays a text, and is refused as such."""
        if self.type is bool:
            return {"true": True, "on": True, "yes": True, "1": True}.get(
                text.lower(), False if text.lower() in ("false", "off", "no", "0") else text
            )
        if self.type in (int, float):
            try:
                return self.type(text) if len(text) < 1000 else text
            except ValueError:
                return text
        if typing.get_origin(self.type) is tuple:
            return _words(text)
        return text


@functools.cache
def all_settings() -> Mapping[str, Setting]:
    """Every setting, by its name."""
    return {each.name: each for each in _of(Settings, "", "")}


def variables() -> dict[str, Setting]:
    """The environment variables, each with its setting; the later one wins."""
    found = {variable: all_settings()[name] for variable, name in OLD_VARIABLES.items()}
    return found | {each.variable: each for each in all_settings().values()}


def value_text(value: Any) -> str:
    """A value as the environment and `--set` take it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return json.dumps(value, ensure_ascii=False) if value else "[]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _of(cls: type, name: str, field: str) -> list[Setting]:
    hints = typing.get_type_hints(cls)
    found: list[Setting] = []
    for each in attrs.fields(cls):
        kind, wire = hints[each.name], name + wire_name(each.name)
        if attrs.has(kind):
            found += _of(kind, f"{wire}.", f"{field}{each.name}.")
        else:
            found.append(Setting(wire, field + each.name, kind, each.default, each.metadata))
    return found


def _words(text: str) -> Any:
    """A list: of JSON, or the words of a command line."""
    try:
        if text.lstrip().startswith("["):
            return json.loads(text)
        return shlex.split(text, posix=sys.platform != "win32")
    except (ValueError, RecursionError):
        return text
