"""The settings of a command, and the values of its options that need reading.

An option that is given wins over the environment, that over the project's settings file, that over the user's, and that
over the default.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from llmstep.cli.say import warn
from llmstep.configuration import Layer, environment_layer, laid_over, layer, project_layer, user_layer
from llmstep.errors import SettingsError
from llmstep.settings import Settings, all_settings

SHORTEST_TOKEN = 16
ORIGIN = "command line"
SET = "--set"
"""The key of the options under which the texts of `--set` are given."""


def configured(
    options: Mapping[str, Any],
    place: Path | None = None,
    *,
    defaults: Mapping[str, Any] | None = None,
    show: bool = True,
) -> Layer:
    """The settings of files and environment with the options that are not None; what is wrong in files is shown.

    Args:
        options: Names are those of the settings, dotted for sections: `{"model": "starter", "http.port": 6001}`.
            Under `SET` are texts `name=value`, for settings without an option.
        place: A file or folder of the project whose settings file counts; None is the current folder.
        defaults: Values of the command's own, which win over files and environment.
        show: Print on stderr what is wrong, and refuse wrong options; else all of that is only in what is returned.

    Raises:
        SettingsError: An option has the wrong name, type or value.
    """
    found = laid_over([*below(place), Layer(defaults or {}), option_layer(options, strict=show)])
    for fault in found.faults if show else ():
        warn(str(fault))
    _check_engine(options, found.settings)
    return found


def _check_engine(options: Mapping[str, Any], settings: Settings) -> None:
    """
    Raises:
        SettingsError: There is a server, but an engine that asks none; or a format for weights that a server has.
    """
    if options.get("remote.url") is not None and settings.in_process:
        raise SettingsError(
            "There is a --remote-url, but the model runs in this process.",
            hint="Give --engine openai or --engine llmstep too.",
        )
    if options.get("dtype") is not None and not settings.in_process:
        raise SettingsError(
            "There is a --dtype, but the model runs at a server.",
            hint="Leave it out, and choose the format where that server is started.",
        )


def below(place: Path | None) -> list[Layer]:
    """What is set without options."""
    return [user_layer(), project_layer(place or Path()), environment_layer()]


def option_layer(options: Mapping[str, Any], *, strict: bool = True) -> Layer:
    """What the options of a command set.

    Args:
        strict: Refuse wrong ones; else they are among the layer's faults.

    Raises:
        SettingsError: One of them is wrong; all that are wrong are named.
    """
    texts: Sequence[str] = options.get(SET) or ()
    given = {name: value for name, value in options.items() if name != SET and value is not None}
    found = layer({**dict(map(_assigned, texts)), **given}, "" if strict else ORIGIN)
    if found.faults and strict:
        *others, last = found.faults
        raise SettingsError(" ".join([*map(str, others), last.message]), hint=last.hint)
    return attrs.evolve(found, origins=dict.fromkeys(found.values, ORIGIN))


def _assigned(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    name = name.strip().removeprefix("llmstep.")
    if not equals or not name:
        raise SettingsError(f"The option --set {text[:60]!r} has no value.", hint="Write --set NAME=VALUE.")
    setting = all_settings().get(name)
    return name, setting.value(value.strip()) if setting else value


def lean_command(option: str | None) -> list[str] | None:
    """The words of a `--lean` option, split as a shell does; a bare `lean` or `lake` gets what starts its server.

    Raises:
        SettingsError: A quotation is left open, or there are no words.
    """
    if option is None:
        return None
    try:
        words = [option] if Path(option).is_file() else shlex.split(option, posix=sys.platform != "win32")
    except ValueError as error:
        raise SettingsError(f"The Lean command {option!r} cannot be read: {error}.", hint="Close the quotes.") from None
    if not words:
        raise SettingsError("The Lean command is empty.", hint='Give a command such as --lean "lake serve --".')
    if Path(words[0]).is_file():
        words[0] = str(Path(words[0]).absolute())  # Lean is started in the folder of the project
    if len(words) == 1:
        words += {"lake": ["serve", "--"]}.get(Path(words[0]).stem, ["--server"])
    return words


def read_token(file: Path | None) -> str | dict[str, str] | None:
    """The bearer token: of the file, else of the environment variable LLMSTEP_TOKEN; None when neither has one.

    A file of lines `NAME TOKEN` has several, by the names of those who have them.

    A token is never taken from the command line, which every user of the machine can read.

    Raises:
        SettingsError: The file cannot be read, or a token is too easy to guess or cannot be sent.
    """
    if file is None:
        token = os.environ.get("LLMSTEP_TOKEN", "").strip()
        return _usable(token, "The environment variable LLMSTEP_TOKEN") if token else None
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The token cannot be read from {file}: {getattr(error, 'strerror', None) or 'it is no text'}.",
            hint="Give a file that holds nothing but the token.",
        ) from None
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines or (len(lines) == 1 and len(lines[0]) != 2):
        return _usable(text, f"The file {file}")
    tokens: dict[str, str] = {}
    for words in lines:
        if words[0] in tokens:
            raise SettingsError(f"The file {file} names {words[0]} twice.", hint="Keep one of the lines.")
        if len(words) != 2:
            raise SettingsError(
                f"The file {file} holds no list of tokens.", hint="Each line is a name, a blank and that one's token."
            )
        tokens[words[0]] = _usable(words[1], f"The file {file}")
    return tokens


def _usable(token: str, source: str) -> str:
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(
            f"{source} holds no usable token.",
            hint=f"A token has at least {SHORTEST_TOKEN} characters, ASCII without blanks; make one with: "
            'python -c "import secrets; print(secrets.token_urlsafe())"',
        )
    return token
