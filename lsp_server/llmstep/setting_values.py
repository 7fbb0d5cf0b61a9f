"""Settings as an editor, a file or the command line sends them: names, types, bounds, and what is wrong with them."""

from __future__ import annotations

import difflib
import functools
import json
import math
import re
import shlex
import sys
import typing
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from llmstep.errors import SettingsError

SECTION = "llmstep"

_MAX = 10**9
"""The greatest number for a setting that has no bound of its own."""
_MAX_NAME = 60
_MAX_DEPTH = 8
_MAX_GUESSES = 20
"""For so many unknown names it is said which one may be meant."""
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_KINDS: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_SWITCH = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}


def wire_name(field: str) -> str:
    """`idle_delay_ms` as editors write it: `idleDelayMs`."""
    head, *rest = field.split("_")
    return head + "".join("MB" if part == "mb" else part.capitalize() for part in rest)


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
        return "LLMSTEP_" + self.field.replace(".", "_").upper()

    @property
    def users(self) -> bool:
        """Whether only the user may set it, and no project: it names a command, a place or a server, or gives leave."""
        return bool(self.metadata.get("users"))

    @property
    def is_list(self) -> bool:
        return typing.get_origin(self.type) is tuple

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it takes; empty where it takes any value of its type."""
        return typing.get_args(self.type) if typing.get_origin(self.type) is Literal else ()

    def read(self, settings: Any) -> Any:
        """Its value."""
        return functools.reduce(getattr, self.field.split("."), settings)

    def value(self, text: str) -> Any:
        """The value that a text means; one that it cannot mean stays a text, which `checked` refuses."""
        try:
            if self.type is bool:
                return _SWITCH.get(text.lower(), text)
            if self.type in (int, float):
                return self.type(text) if len(text) < 1000 else text
            if self.is_list:
                is_json = text.lstrip().startswith("[")
                return json.loads(text) if is_json else shlex.split(text, posix=sys.platform != "win32")
        except (ValueError, RecursionError):
            pass
        return text

    def checked(self, value: Any) -> Any:
        """A value as the record has it.

        Raises:
            SettingsError: It has the wrong type or is out of bounds.
        """
        found = value
        if self.is_list and isinstance(value, list):
            found = tuple(value)
        elif self.type is float and type(value) is int and abs(value) <= _MAX:
            found = float(value)
        wanted = self._wanted_instead_of(found)
        if wanted:
            raise self.wrong(found if self.type is float else value, wanted)
        return found

    def _wanted_instead_of(self, value: Any) -> str:
        """What a value must be; empty where it is that."""
        if self.choices:
            return "" if value in self.choices else "one of " + ", ".join(self.choices)
        if self.is_list:
            if not isinstance(value, tuple):
                return 'a list of words such as ["lake", "serve", "--"]'
            if not all(isinstance(word, str) for word in value):
                return "a list of words"
            return "a list of words without control characters" if any(map(_UNREADABLE.search, value)) else ""
        if type(value) is not self.type or (self.type is float and not math.isfinite(value)):
            return _KINDS[self.type]
        if self.type is str:
            return "a text without control characters" if _UNREADABLE.search(value) else ""
        minimum, maximum = self.metadata.get("minimum"), self.metadata.get("maximum") or _MAX
        if minimum is not None and value < minimum:
            return f"at least {minimum}"
        return f"at most {maximum}" if value > maximum else ""

    def wrong(self, value: Any, wanted: str) -> SettingsError:
        return SettingsError(f"The setting {SECTION}.{self.name} is {shown(value)}.", hint=f"It must be {wanted}.")


@functools.cache
def settings_of(cls: type, name: str = "", field: str = "") -> Mapping[str, Setting]:
    """The settings of a record class, those of its sections included, by their names with dots.

    Args:
        name: What stands before each name.
        field: What stands before each name of a field.
    """
    hints = typing.get_type_hints(cls)
    found: dict[str, Setting] = {}
    for each in attrs.fields(cls):
        kind, wire = hints[each.name], name + wire_name(each.name)
        if attrs.has(kind):
            found |= settings_of(kind, f"{wire}.", f"{field}{each.name}.")
        else:
            found[wire] = Setting(wire, field + each.name, kind, each.default, each.metadata)
    return found


def sound_values(
    known: Mapping[str, Setting], raw: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, SettingsError]]:
    """The values of an object that are right, and what is wrong in it, both by names with dots.

    Args:
        raw: Nested, or with dots in the names, with or without `llmstep` before them; null leaves the default.
    """
    sound: dict[str, Any] = {}
    wrong: dict[str, SettingsError] = {}
    for name, value in _flat(raw, known):
        try:
            if name not in known:
                place, error = _misplaced(known, name, value, guess=len(wrong) < _MAX_GUESSES)
                wrong.setdefault(place, error)
            else:
                sound[name] = known[name].checked(value)
        except SettingsError as error:
            wrong[name] = error
    return sound, wrong


def _flat(raw: Mapping[str, Any], known: Mapping[str, Setting], path: str = "") -> list[tuple[str, Any]]:
    """Nested sections as names with dots."""
    found: list[tuple[str, Any]] = []
    for key, value in raw.items():
        name = (path + str(key)).removeprefix(f"{SECTION}.")
        section = "" if name == SECTION and not path else f"{name}."
        if isinstance(value, Mapping) and name not in known and name.count(".") < _MAX_DEPTH:
            found += _flat(value, known, section)
        elif value is not None:
            found.append((name, value))
    return found


def _misplaced(known: Mapping[str, Setting], name: str, value: Any, *, guess: bool) -> tuple[str, SettingsError]:
    """What is wrong with a name that is none of a setting, and the part of the name that is wrong."""
    where = ""
    for part in name.split("."):
        place = where + part
        if place in known:
            return place, known[place].wrong({name.removeprefix(f"{place}."): value}, "a single value")
        inside = [each.removeprefix(where).partition(".")[0] for each in known if each.startswith(where)]
        if part not in inside:
            near = difflib.get_close_matches(part[:_MAX_NAME], dict.fromkeys(inside), n=1) if guess else []
            text = _UNREADABLE.sub("?", part if len(part) <= _MAX_NAME else part[:_MAX_NAME] + "...")
            lists = "Remove it; `llmstep settings` lists all settings."
            hint = f"Did you mean {SECTION}.{where}{near[0]}?" if near else lists
            return place, SettingsError(f"There is no setting {SECTION}.{where}{text}.", hint=hint)
        where = f"{place}."
    return name, SettingsError(
        f"The setting {SECTION}.{name} must be an object, not {shown(value)}.", hint="Correct it in the settings."
    )


def value_text(value: Any) -> str:
    """A value as the environment and `--set` take it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return json.dumps(value, ensure_ascii=False) if value else "[]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def shown(value: Any) -> str:
    """A value of somebody's in a sentence: not long, whatever it is."""
    if type(value) is int and abs(value) > 10**60:
        return "a number of more than 60 digits"
    try:
        text = repr(value[:100] if isinstance(value, (str, list, tuple)) else value)
    except RecursionError:
        return "a deep object"
    return text if len(text) <= 60 else text[:57] + "..."
