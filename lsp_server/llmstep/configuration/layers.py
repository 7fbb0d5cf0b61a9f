"""Settings from several places: the later place wins, and what is wrong in one leaves all others as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from llmstep.errors import SettingsError
from llmstep.settings import Settings


@attrs.frozen
class Layer:
    """What one place sets, or several that lie over each other."""

    values: Mapping[str, Any]
    """By full names, without what is wrong; see `layer`."""
    faults: tuple[SettingsError, ...] = ()
    """What is wrong there and is not used, each with its place."""
    origins: Mapping[str, str] = attrs.field(factory=dict)
    """Where each value stands, in words."""

    @property
    def settings(self) -> Settings:
        """All settings; those that are not set have their defaults."""
        return Settings.decode(self.values)


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


def laid_over(layers: Sequence[Layer]) -> Layer:
    """Several layers as one; later ones win."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for each in layers:
        values |= each.values
        origins |= each.origins
    return Layer(values, tuple(fault for each in layers for fault in each.faults), origins)
