"""Options of the command line, and how they become settings.

An option that is given wins over the environment, and that over the default.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from llmstep.errors import SettingsError
from llmstep.settings import Settings, field_name

if TYPE_CHECKING:
    from collections.abc import Mapping

ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", help="Catalog name, Hugging Face id or folder; see `llmstep models`.")
]
TemplateOption = Annotated[
    str | None, typer.Option("--template", help="Prompt template of a model that is not in the catalog.")
]
DeviceOption = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or mps.")]
CountOption = Annotated[int | None, typer.Option("--count", "-n", help="Number of samples to draw.")]
TemperatureOption = Annotated[float | None, typer.Option("--temperature", help="Sampling temperature; 0 is greedy.")]
LeanOption = Annotated[
    str | None,
    typer.Option(help="Command of the Lean server; default `lake serve --` in a Lake project, else `lean --server`."),
]

PremisesOption = Annotated[
    str | None, typer.Option("--premises", help="none, lean (its own searches) or index, for templates that read some.")
]
PremiseIndexOption = Annotated[Path | None, typer.Option("--premise-index", help="Folder made by `llmstep index`.")]


def premise_settings(source: str | None, index: Path | None) -> dict[str, Any]:
    """Those two options as settings; an index alone says that premises come from it."""
    return {
        "premises.source": source or ("index" if index else None),
        "premises.index": str(index) if index else None,
    }


SHORTEST_TOKEN = 16


def settings_with(options: Mapping[str, Any]) -> Settings:
    """The environment's settings with the options that are not None.

    Args:
        options: Names are those of the settings, dotted for sections: `{"model": "starter", "http.port": 6001}`.

    Raises:
        SettingsError: A value has the wrong type or is out of bounds.
    """
    given = {name: value for name, value in options.items() if value is not None}
    settings = Settings.from_environment()
    given.setdefault("http.port", settings.http.port)  # the environment's is checked like an option
    decoded = Settings.decode(given)
    for name in given:
        section, _, field = field_name(name).rpartition(".")
        if section:
            changed = attrs.evolve(getattr(settings, section), **{field: getattr(getattr(decoded, section), field)})
            settings = attrs.evolve(settings, **{section: changed})
        else:
            settings = attrs.evolve(settings, **{field: getattr(decoded, field)})
    return settings


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
        if len(words) != 2 or words[0] in tokens:
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
