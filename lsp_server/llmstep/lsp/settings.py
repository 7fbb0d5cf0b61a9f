"""Settings of the server: from files, from the editor (at `initialize`, when asked for, and when pushed), and others.

Later layers win: defaults, the user's settings file, that of the project, initialization options, the editor's
configuration (the latest pull or push as a whole), environment variables, what a command changed in this session. Each
wrong value is shown to the user in one sentence, once while it stays; the setting keeps the value that it had before,
and all others hold.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.configuration.environment import environment_layer
from llmstep.configuration.files import project_layer, user_layer
from llmstep.errors import LlmstepError, SettingsError
from llmstep.lsp.protocol import SECONDS_TO_ANSWER, LlmstepProtocol
from llmstep.setting_values import SECTION
from llmstep.settings import Settings
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
        self._files: dict[str, Any] = {}
        self._initial: dict[str, Any] = {}
        self._configured: dict[str, Any] = {}
        self._of_editor = Settings()
        self._wrong_initially: list[SettingsError] = []
        self._wrong: list[SettingsError] = []
        """All that is wrong now; the user was shown it."""
        self._session: dict[str, Any] = {}

    def initialize(self, options: Any, folder: Path | None = None) -> None:
        """Take the files and the initialization options; what is wrong is shown, as the protocol allows by then.

        Args:
            folder: The one that the editor has opened, whose project may bring a settings file.
        """
        files = (user_layer(), project_layer(folder))
        self._files = {name: value for each in files for name, value in each.values.items()}
        self._initial, wrong = self._take(options, {})
        self._wrong_initially = [*(fault for each in files for fault in each.faults), *wrong]
        self._apply(self._wrong_initially)

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
        self._configured, wrong = self._take(raw, self._configured)
        self._apply([*self._wrong_initially, *wrong])

    def override(self, **changes: Any) -> None:
        """Settings that a command chose; they hold until the editor's value for them changes.

        Raises:
            SettingsError: A value is wrong.
        """
        self._apply(self._wrong, {**self._session, **changes})

    def _take(self, raw: Any, before: dict[str, Any]) -> tuple[dict[str, Any], list[SettingsError]]:
        """A layer of the editor's settings, and what is wrong in it; a wrong one keeps the value that it had before."""
        try:
            sound, wrong = Settings.sound(_section(raw))
        except SettingsError as error:
            return before, [error]
        kept = {name: before[name] for name in wrong if name in before}
        return sound | kept, list(wrong.values())

    def _apply(self, wrong: list[SettingsError], session: dict[str, Any] | None = None) -> None:
        below = {**self._files, **self._initial, **self._configured}
        editor = Settings.decode(below)
        if session is None:
            session = {
                key: value
                for key, value in self._session.items()
                if getattr(editor, key) == getattr(self._of_editor, key)
            }
        environment = environment_layer()
        wrong = [*wrong, *environment.faults]
        settings = attrs.evolve(Settings.decode({**below, **environment.values}), **session)
        self._session, self._of_editor = session, editor
        self._show(wrong)
        if settings != self._store.current:
            self._store.change(settings)

    def _show(self, wrong: list[SettingsError]) -> None:
        """Show what was not wrong before; of very many the first ones."""
        shown = {str(error) for error in self._wrong}
        new = [error for error in wrong if str(error) not in shown]
        self._wrong = wrong
        for error in new[:_MAX_SHOWN]:
            self._show_error(error)
        if len(new) > _MAX_SHOWN:
            more = len(new) - _MAX_SHOWN
            self._show_error(SettingsError(f"{more} more settings are wrong.", hint="Correct them in the settings."))


def _section(settings: Any) -> Mapping[str, Any]:
    """The section `llmstep` of an editor's settings, or all of them where a client sends nothing else."""
    if settings is None:
        return {}
    if isinstance(settings, Mapping) and SECTION in settings:
        settings = settings[SECTION]
        if settings is None:
            return {}
    if not isinstance(settings, Mapping):
        shown = repr(settings)[:60]
        raise SettingsError(f"The settings of llmstep must be an object, not {shown}.", hint="Correct them.")
    return settings
