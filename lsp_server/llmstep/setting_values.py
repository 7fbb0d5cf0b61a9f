"""Settings as an editor, a file or the command line sends them: names, types, bounds, and what is wrong with them."""

from __future__ import annotations

import difflib
import math
import re
import typing
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from llmstep.errors import SettingsError

_MAX = 10**9
"""The greatest number for a setting that has no bound of its own."""
_MAX_NAME = 60
_MAX_GUESSES = 20
"""For so many unknown names it is said which one may be meant."""
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def wire_name(field: str) -> str:
    """`idle_delay_ms` as editors write it: `idleDelayMs`."""
    head, *rest = field.split("_")
    return head + "".join("MB" if part == "mb" else part.capitalize() for part in rest)


def nest(raw: Mapping[str, Any], wrong: dict[str, SettingsError]) -> dict[str, Any]:
    """Dotted keys turned into nested objects; a leading `llmstep` section is unwrapped."""
    if set(raw) == {"llmstep"} and isinstance(raw["llmstep"], Mapping):
        raw = raw["llmstep"]
    nested: dict[str, Any] = {}
    for key, value in raw.items():
        *sections, last = key.removeprefix("llmstep.").split(".")
        place = nested
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                wrong[f"llmstep.{section}"] = _no_object(f"llmstep.{section}", inner)
                inner = place[section] = {}
            place = inner
        if isinstance(value, Mapping) and isinstance(place.get(last), dict):
            place[last].update(value)
        else:
            place[last] = dict(value) if isinstance(value, Mapping) else value
    return nested


def decode(cls: type, raw: Any, where: str, wrong: dict[str, SettingsError]) -> Any:
    if not isinstance(raw, Mapping):
        wrong[where] = _no_object(where, raw)
        return cls()
    hints = typing.get_type_hints(cls)
    fields = {wire_name(field.name): field for field in attrs.fields(cls)}
    values: dict[str, Any] = {}
    for key, value in raw.items():
        field = fields.get(key)
        name = f"{where}.{key}"
        if field is None:
            wrong[name] = _unknown(where, key, fields if len(wrong) < _MAX_GUESSES else {})
        elif attrs.has(hints[field.name]):
            if value is not None:
                values[field.name] = decode(hints[field.name], value, name, wrong)
        elif value is not None:  # an editor sends null for a setting that was never set
            try:
                values[field.name] = _value(hints[field.name], value, name, field.metadata)
            except SettingsError as error:
                wrong[name] = error
    return cls(**values)


def _value(expected: Any, value: Any, name: str, bounds: Mapping[str, Any]) -> Any:
    if typing.get_origin(expected) is Literal:
        allowed = typing.get_args(expected)
        if value not in allowed:
            raise _wrong(name, value, "one of " + ", ".join(allowed))
        return value
    if typing.get_origin(expected) is tuple:
        if isinstance(value, str) or not isinstance(value, (list, tuple)):
            raise _wrong(name, value, 'a list of words such as ["lake", "serve", "--"]')
        if not all(isinstance(word, str) for word in value):
            raise _wrong(name, value, "a list of words")
        if any(_UNREADABLE.search(word) for word in value):
            raise _wrong(name, value, "a list of words without control characters")
        return tuple(value)
    if expected is float and type(value) is int and abs(value) <= _MAX:
        value = float(value)
    if type(value) is not expected or (expected is float and not math.isfinite(value)):
        raise _wrong(
            name,
            value,
            {bool: "true or false", int: "a whole number", float: "a number"}.get(expected, "a text"),
        )
    if expected is str:
        if _UNREADABLE.search(value):
            raise _wrong(name, value, "a text without control characters")
        return value
    minimum, maximum = bounds.get("minimum"), bounds.get("maximum")
    if minimum is not None and value < minimum:
        raise _wrong(name, value, f"at least {minimum}")
    if value > (_MAX if maximum is None else maximum):
        raise _wrong(name, value, f"at most {_MAX if maximum is None else maximum}")
    return value


def _wrong(name: str, value: Any, wanted: str) -> SettingsError:
    return SettingsError(f"The setting {name} is {shown(value)}.", hint=f"It must be {wanted}.")


def _no_object(name: str, value: Any) -> SettingsError:
    return SettingsError(
        f"The setting {name} must be an object, not {shown(value)}.", hint="Correct it in the settings."
    )


def _unknown(where: str, key: str, fields: Mapping[str, object]) -> SettingsError:
    near = difflib.get_close_matches(key[:_MAX_NAME], fields, n=1)
    shown = key if len(key) <= _MAX_NAME else key[:_MAX_NAME] + "..."
    return SettingsError(
        f"There is no setting {where}.{_UNREADABLE.sub('?', shown)}.",
        hint=f"Did you mean {where}.{near[0]}?"
        if near
        else "Remove it; `llmstep settings` lists those that there are.",
    )


def shown(value: Any) -> str:
    """A value of somebody's in a sentence: not long, whatever it is."""
    if type(value) is int and abs(value) > 10**60:
        return "a number of more than 60 digits"
    try:
        text = repr(value[:100] if isinstance(value, (str, list, tuple)) else value)
    except RecursionError:
        return "a deep object"
    return text if len(text) <= 60 else text[:57] + "..."
