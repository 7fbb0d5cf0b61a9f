"""Settings from several places, laid over each other: files, environment variables, a command or an editor.

The later place wins, and what is wrong in one leaves all others as they are. The user's file is `config.toml` in the
configuration folder (`~/.config/llmstep` on Linux), or what `LLMSTEP_CONFIG` names (the null device for none). That of
a project is `llmstep.toml` in the nearest folder upwards that has one. Whoever opens somebody's project trusts it less
than themselves, so it sets nothing that names a command, a place or a server, or that gives leave.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from llmstep import toml
from llmstep.errors import SettingsError
from llmstep.setting_values import Setting, sound_values
from llmstep.settings import Settings, all_settings

PROJECT_FILE = "llmstep.toml"
_USER_FILE = "LLMSTEP_CONFIG"
_MAX_BYTES = 1 << 20
_PREFIX = "LLMSTEP_"
_OTHERS = frozenset(
    {
        _USER_FILE,
        "LLMSTEP_API_KEY",
        "LLMSTEP_COPIES",
        "LLMSTEP_HOST",
        "LLMSTEP_LEAN_SERVER",
        "LLMSTEP_SERVER",
        "LLMSTEP_SITE",
        "LLMSTEP_TOKEN",
        "LLMSTEP_TOKEN_FILE",
        "LLMSTEP_TRACEBACK",
    }
)
"""Variables that are no settings: secrets, those of the Lean tactic and of `deploy/`, marks of our own."""
_OTHER_PREFIXES = ("LLMSTEP_DECODER_", "LLMSTEP_TEST_", "LLMSTEP_SOAK_")


@attrs.frozen
class Layer:
    """What one place sets, or several that lie over each other."""

    values: Mapping[str, Any] = attrs.field(factory=dict)
    """By full names, without what is wrong; see `layer`."""
    faults: tuple[SettingsError, ...] = ()
    """What is wrong there and is not used, each with its place."""
    origins: Mapping[str, str] = attrs.field(factory=dict)
    """Where each value stands, in words."""

    @property
    def settings(self) -> Settings:
        """All settings; those that are not set have their defaults."""
        return Settings.decode(self.values)


def layer(raw: Mapping[str, Any], place: str = "", before: Mapping[str, Any] | None = None) -> Layer:
    """What a place sets, without what is wrong there.

    Args:
        raw: Nested, or with dots in the names.
        place: Where this is, in words ("/home/me/config.toml").
        before: Values that hold where the ones in `raw` are wrong.
    """
    values, wrong = sound_values(all_settings(), raw)
    kept = {name: before[name] for name in wrong if name in before} if before else {}
    where = f" ({place})." if place else "."
    faults = [SettingsError(error.message[:-1] + where, hint=error.hint) for error in wrong.values()]
    return Layer(values | kept, tuple(faults), dict.fromkeys(values, place))


def laid_over(layers: Iterable[Layer]) -> Layer:
    """Several layers as one; later ones win."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    faults: list[SettingsError] = []
    for each in layers:
        values |= each.values
        origins |= each.origins
        faults += each.faults
    return Layer(values, tuple(faults), origins)


def user_file() -> Path:
    """Where the user's settings file is, or would be."""
    given = os.environ.get(_USER_FILE)
    if given:
        return Path(os.path.expanduser(given))
    import platformdirs

    return platformdirs.user_config_path("llmstep") / "config.toml"


def project_file(place: Path) -> Path | None:
    """The settings file of the project that a file or folder is in."""
    place = place.absolute()
    files = (folder / PROJECT_FILE for folder in (place, *place.parents))
    return next((file for file in files if os.path.lexists(file)), None)


def user_layer() -> Layer:
    """What the user's settings file sets; nothing where there is none."""
    file = user_file()
    if str(file) == os.devnull or (not os.environ.get(_USER_FILE) and not os.path.lexists(file)):
        return Layer()
    return _of_file(file)


def project_layer(place: Path | None) -> Layer:
    """What the settings file of a project sets, as far as a project may.

    Args:
        place: A file or folder of the project; None for no project.
    """
    file = project_file(place) if place is not None else None
    if file is None:
        return Layer()
    if _is_strangers(file):
        fault = SettingsError(
            f"The file {file} belongs to another user and is not used.", hint="Copy it, or move your files elsewhere."
        )
        return Layer(faults=(fault,))
    found = _of_file(file)
    refused = [name for name in found.values if all_settings()[name].users]
    untrusted = tuple(
        SettingsError(
            f"The setting llmstep.{name} is not for a project to set ({file}).",
            hint=f"Set it in your own file, {user_file()}.",
        )
        for name in refused
    )
    values = {name: value for name, value in found.values.items() if name not in refused}
    return Layer(values, (*found.faults, *untrusted), dict.fromkeys(values, str(file)))


def environment_layer() -> Layer:
    """What the environment sets, `LLMSTEP_COUNT=20` for example; an empty variable sets nothing."""
    known = variables()
    found = [
        layer({each.name: each.value(text)}, name) for name, each in known.items() if (text := os.environ.get(name))
    ]
    unknown = [
        _unknown(name)
        for name in sorted(os.environ)
        if name.startswith(_PREFIX) and name not in {*known, *_OTHERS} and not name.startswith(_OTHER_PREFIXES)
    ]
    return laid_over([*found, Layer(faults=tuple(unknown))])


def variables() -> dict[str, Setting]:
    """The environment variables, each with its setting; the later one wins."""
    port = {"LLMSTEP_PORT": all_settings()["http.port"]}  # the Lean tactic reads this one as well
    return port | {each.variable: each for each in all_settings().values()}


def _unknown(name: str) -> SettingsError:
    near = difflib.get_close_matches(name[:60], [*variables(), *_OTHERS], n=1)
    hint = f"Did you mean {near[0]}?" if near else "`llmstep settings` lists all settings."
    return SettingsError(f"The environment variable {name[:60]} is no setting of llmstep.", hint=hint)


def _of_file(file: Path) -> Layer:
    try:
        return layer(_read(file), str(file))
    except SettingsError as error:
        return Layer(faults=(error,))


def _read(file: Path) -> dict[str, Any]:
    """
    Raises:
        SettingsError: The whole of the file cannot be used.
    """
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise _unused(file, "it is no file", "Put a file there, or remove it.")
        with file.open("rb") as source:
            content = source.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise _unused(file, "it has more than 1 MB", "Shorten it.")
        content_of: dict[str, Any] = toml.loads(content.decode("utf-8").removeprefix("\ufeff"))
        return content_of
    except FileNotFoundError:
        why, hint = "there is none", f"Write it, or unset {_USER_FILE}."
    except OSError as error:
        why, hint = error.strerror or str(error), "Make it readable, or remove it."
    except UnicodeDecodeError:
        why, hint = "it is not UTF-8", "Save it as UTF-8."
    except (ValueError, RecursionError) as error:  # TOML's error is a ValueError, and so is that of a long number
        why = str(error)[:200] if isinstance(error, ValueError) else "it is nested too deeply"
        hint = "Correct it; it is TOML, for example: count = 20"
    raise _unused(file, why, hint)


def _unused(file: Path, why: str, hint: str) -> SettingsError:
    return SettingsError(f"The settings file {file} is not used: {why}.", hint=hint)


def _is_strangers(file: Path) -> bool:
    """Whether another user, but root, owns a file; on Windows others cannot write where the user's files are."""
    if not hasattr(os, "getuid"):
        return False
    try:
        return file.lstat().st_uid not in (os.getuid(), 0)
    except OSError:
        return False
