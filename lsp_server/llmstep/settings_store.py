"""The settings in force, and the parts of llmstep that hear of changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from llmstep.settings import Settings

T = TypeVar("T")


class SettingsStore:
    """One record of settings, replaced as a whole. A part says which section it needs, and hears when that changes."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._current = settings or Settings()
        self._subscriptions: list[tuple[Callable[[Settings], Any], Callable[[Any, Any], object]]] = []

    @classmethod
    def of(cls, settings: Settings | SettingsStore) -> SettingsStore:
        """A store as it is; settings that nobody will change, in a store of their own."""
        return settings if isinstance(settings, SettingsStore) else cls(settings)

    @property
    def current(self) -> Settings:
        return self._current

    def subscribe(self, section: Callable[[Settings], T], callback: Callable[[T, T], object]) -> None:
        """Have `callback` called after each change of a section, with its old and its new value.

        Args:
            section: Gives what is needed of the settings, such as `lambda settings: settings.lean`.
            callback: Called in the order of the subscriptions, when all settings have changed already.
        """
        self._subscriptions.append((section, callback))

    def change(self, settings: Settings) -> None:
        """Use other settings from now on."""
        before, self._current = self._current, settings
        for section, callback in self._subscriptions:
            old, new = section(before), section(settings)
            if old != new:
                callback(old, new)
