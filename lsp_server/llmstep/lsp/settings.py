"""Settings of the server: from files, from the editor (at `initialize`, when asked for, and when pushed), and others.

Later layers win: defaults, the user's settings file, that of the project, initialization options, the editor's
configuration (the latest pull or push as a whole), environment variables, the model that a command chose. Each wrong
value is shown to the user in one sentence, once while it stays; the setting keeps the value that it had before, and all
others hold.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.configuration import Layer, environment_layer, laid_over, layer, project_layer, user_layer
from llmstep.errors import LlmstepError, SettingsError
from llmstep.lsp.protocol import SECONDS_TO_ANSWER, LlmstepProtocol
from llmstep.setting_values import SECTION
from llmstep.settings_store import SettingsStore

_MAX_SHOWN = 5

_log = logging.getLogger(__name__)


class SettingsSync:
    """Keeps the server's settings in step with the editor's.

    Args:
        store: Where they are kept.
        protocol: The wire to the editor.
        show_error: Tells the user of a wrong one.
    """

    def __init__(
        self, store: SettingsStore, protocol: LlmstepProtocol, show_error: Callable[[LlmstepError], object]
    ) -> None:
        self._store = store
        self._protocol = protocol
        self._show_error = show_error
        self._files = self._initial = self._configured = Layer()
        self._chosen: tuple[str, str] | None = None
        """The model that a command chose, and that of the editor at that time."""
        self._told: set[str] = set()
        """What is wrong now, in words; the user was shown it."""

    def initialize(self, options: Any, folder: Path | None = None) -> None:
        """Take the files and the initialization options; what is wrong is shown, as the protocol allows by then.

        Args:
            folder: The one that the editor has opened, whose project may bring a settings file.
        """
        self._files = laid_over([user_layer(), project_layer(folder)])
        self._initial = _layer(options, Layer())
        self._apply()

    async def pull(self) -> None:
        """Ask the editor for its configuration, where it can be asked."""
        workspace = self._protocol.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return
        params = types.ConfigurationParams(items=[types.ConfigurationItem(section=SECTION)])
        try:
            answer = await self._protocol.ask(types.WORKSPACE_CONFIGURATION, params, timeout=SECONDS_TO_ANSWER)
        except (JsonRpcException, asyncio.TimeoutError) as error:
            _log.warning("llmstep: the client did not give its configuration: %s", error)
            return
        if answer and answer[0]:
            self.push(answer[0])

    async def subscribe(self) -> None:
        """Ask to hear of changes, where the client wants to be asked for that."""
        workspace = self._protocol.client_capabilities.workspace
        change = workspace.did_change_configuration if workspace else None
        if change is None or not change.dynamic_registration:
            return
        options = types.DidChangeConfigurationRegistrationOptions(section=SECTION)
        await self._protocol.register(types.WORKSPACE_DID_CHANGE_CONFIGURATION, options)

    def push(self, raw: Any) -> None:
        """Take a configuration of the editor."""
        self._configured = _layer(raw, self._configured)
        self._apply()

    def override(self, *, model: str) -> None:
        """Use the model that a command chose, until the editor's value for it changes."""
        self._chosen = (model, self._below.settings.model)
        self._apply()

    @property
    def _below(self) -> Layer:
        """What files and editor set."""
        return laid_over([self._files, self._initial, self._configured])

    def _apply(self) -> None:
        below = self._below
        if self._chosen is not None and self._chosen[1] != below.settings.model:
            self._chosen = None
        chosen = Layer({"model": self._chosen[0]} if self._chosen else {})
        found = laid_over([below, environment_layer(), chosen])
        self._show(found.faults)
        if found.settings != self._store.current:
            self._store.change(found.settings)

    def _show(self, wrong: Sequence[SettingsError]) -> None:
        """Show what was not wrong before; of very many the first ones."""
        new = [error for error in wrong if str(error) not in self._told]
        self._told = set(map(str, wrong))
        for error in new[:_MAX_SHOWN]:
            self._show_error(error)
        if len(new) > _MAX_SHOWN:
            more = len(new) - _MAX_SHOWN
            self._show_error(SettingsError(f"{more} more settings are wrong.", hint="Correct them in the settings."))


def _layer(settings: Any, before: Layer) -> Layer:
    """The section `llmstep` of an editor's settings, or all of them where a client sends nothing else."""
    if isinstance(settings, Mapping) and SECTION in settings:
        settings = settings[SECTION]
    if settings is None:
        settings = {}
    if not isinstance(settings, Mapping):
        shown = repr(settings)[:60]
        fault = SettingsError(f"The settings of llmstep must be an object, not {shown}.", hint="Correct them.")
        return attrs.evolve(before, faults=(fault,))
    return layer(settings, before=before.values)
