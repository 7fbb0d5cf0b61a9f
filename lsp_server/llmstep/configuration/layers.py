"""Settings from several places: the later place wins, and what is wrong in one leaves all others as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from llmstep.errors import SettingsError
from llmstep.settings import Settings


@attrs.frozen
class Layer:
    """What one place sets."""

    values: Mapping[str, Any]
    """By full names, without what is wrong; see `layer`."""
    faults: tuple[SettingsError, ...] = ()
    """What is wrong there, each with its place."""
    origins: Mapping[str, str] = attrs.field(factory=dict)
    """Where each value stands, in words."""


@attrs.frozen
class Configuration:
    """Settings, and where they come from."""

    settings: Settings
    origins: Mapping[str, str]
    """Where each setting that is set comes from; one that has its default is left out."""
    faults: tuple[SettingsError, ...] = ()
    """What was wrong, and is not used."""

    def was_set(self, name: str) -> bool:
        """Whether a setting was set anywhere."""
        return name in self.origins


def layer(raw: Mapping[str, Any], place: str | Mapping[str, str] = "") -> Layer:
    """What a place sets, without what is wrong there.

    Args:
        raw: Nested, or with dots in the names.
        place: Where this is, in words ("the file /home/me/config.toml"), or that by name.
    """
    sound, wrong = Settings.sound(raw)
    faults = []
    for name, error in wrong.items():
        where = place if isinstance(place, str) else place.get(name, "")
        faults.append(SettingsError(f"{error.message[:-1]} ({where}).", hint=error.hint) if where else error)
    origins = {name: place if isinstance(place, str) else place.get(name, "") for name in sound}
    return Layer(sound, tuple(faults), origins)


def laid_over(layers: Sequence[Layer]) -> Configuration:
    """The settings of several layers; later ones win."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for each in layers:
        values |= each.values
        origins |= each.origins
    return Configuration(Settings.decode(values), origins, tuple(fault for each in layers for fault in each.faults))
