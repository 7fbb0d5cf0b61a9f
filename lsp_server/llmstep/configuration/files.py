"""The settings files: the user's own, and one that a project brings.

The user's is `config.toml` in the configuration folder (`~/.config/llmstep` on Linux), or what `LLMSTEP_CONFIG` names
(the null device for none).
A project's is `llmstep.toml` in the nearest folder upwards that has one. Whoever opens somebody's project trusts it
less than themselves, so it sets nothing that names a command, a place or a server, or that gives leave.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from llmstep import toml
from llmstep.configuration.layers import Layer, layer
from llmstep.errors import SettingsError
from llmstep.settings import all_settings

VARIABLE = "LLMSTEP_CONFIG"
PROJECT_FILE = "llmstep.toml"
_MAX_BYTES = 1 << 20


def user_file() -> Path:
    """Where the user's settings file is, or would be."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given).expanduser()
    import platformdirs

    return platformdirs.user_config_path("llmstep") / "config.toml"


def project_file(place: Path) -> Path | None:
    """The settings file of the project that a file or folder is in."""
    place = place.absolute()
    for folder in (place, *place.parents):
        file = folder / PROJECT_FILE
        if os.path.lexists(file):
            return file
    return None


def user_layer() -> Layer:
    """What the user's settings file sets; nothing where there is none."""
    file = user_file()
    if str(file) == os.devnull or (not os.environ.get(VARIABLE) and not os.path.lexists(file)):
        return Layer({})
    raw, fault = _read(file)
    return Layer({}, (fault,)) if fault else layer(raw, str(file))


def project_layer(place: Path | None) -> Layer:
    """What the settings file of a project sets, as far as a project may.

    Args:
        place: A file or folder of the project; None for no project.
    """
    file = project_file(place) if place is not None else None
    if file is None:
        return Layer({})
    if _is_strangers(file):
        fault = SettingsError(
            f"The file {file} belongs to another user and is not used.", hint="Copy it, or move your files elsewhere."
        )
        return Layer({}, (fault,))
    raw, error = _read(file)
    if error:
        return Layer({}, (error,))
    read = layer(raw, str(file))
    settings = all_settings()
    refused = [name for name in read.values if settings[name].users]
    untrusted = tuple(
        SettingsError(
            f"The setting llmstep.{name} is not for a project to set ({file}).",
            hint=f"Set it in your own file, {user_file()}.",
        )
        for name in refused
    )
    values = {name: value for name, value in read.values.items() if name not in refused}
    return Layer(values, (*read.faults, *untrusted), {name: read.origins[name] for name in values})


def _read(file: Path) -> tuple[dict[str, Any], SettingsError | None]:
    """The content of a file, or what is wrong with the whole of it."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return {}, _unread(file, "it is no file", "Put a file there, or remove it.")
        with file.open("rb") as source:
            content = source.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            return {}, _unread(file, "it has more than 1 MB", "Shorten it.")
        return toml.loads(content.decode("utf-8").removeprefix("\ufeff")), None
    except FileNotFoundError:
        return {}, _unread(file, "there is none", f"Write it, or unset {VARIABLE}.")
    except OSError as error:
        return {}, _unread(file, error.strerror or str(error), "Make it readable, or remove it.")
    except UnicodeDecodeError:
        return {}, _unread(file, "it is not UTF-8", "Save it as UTF-8.")
    except (ValueError, RecursionError) as error:  # TOML's error is a ValueError, and so is that of a long number
        said = str(error)[:200] if isinstance(error, ValueError) else "it is nested too deeply"
        return {}, _unread(file, said, "Correct it; it is TOML, for example: count = 20")


def _unread(file: Path, why: str, hint: str) -> SettingsError:
    return SettingsError(f"The settings file {file} is not used: {why}.", hint=hint)


def _is_strangers(file: Path) -> bool:
    """Whether another user, but root, owns a file; on Windows others cannot write where the user's files are."""
    if not hasattr(os, "getuid"):
        return False
    try:
        return file.lstat().st_uid not in (os.getuid(), 0)
    except OSError:
        return False
