"""Settings from the editor: at `initialize`, when asked for, and when pushed.

Later layers win: defaults, initialization options, the editor's configuration (the latest pull or push as a whole),
environment variables, what a command changed in this session. A wrong value is told to the user in one sentence, and
the settings stay as they were.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.errors import SettingsError
from llmstep.settings import Settings

if TYPE_CHECKING:
    from llmstep.lsp.server import LlmstepServer

SECTION = "llmstep"
_SECONDS = 5.0

_log = logging.getLogger(__name__)


class SettingsSync:
    """Keeps the server's settings in step with the editor's."""

    def __init__(self, ls: LlmstepServer) -> None:
        self._ls = ls
        self._initial: Mapping[str, Any] = {}
        self._configured: Mapping[str, Any] = {}
        self._session: dict[str, Any] = {}

    def initialize(self, options: Any) -> SettingsError | None:
        """Take the initialization options; the error, if any, is shown once the client can show it."""
        try:
            self._apply(initial=_section(options))
        except SettingsError as error:
            return error
        return None

    async def pull(self) -> None:
        """Ask the editor for its configuration, where it can be asked."""
        workspace = self._ls.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return
        params = types.ConfigurationParams(items=[types.ConfigurationItem(section=SECTION)])
        try:
            answer = await self._ls.protocol.ask(types.WORKSPACE_CONFIGURATION, params, timeout=_SECONDS)
        except (JsonRpcException, asyncio.TimeoutError) as error:
            _log.warning("llmstep: the client did not give its configuration: %s", error)
            return
        if answer and answer[0]:
            self.push(answer[0])

    async def subscribe(self) -> None:
        """Ask to be told of changes, where the client wants to be asked for that."""
        workspace = self._ls.client_capabilities.workspace
        change = workspace.did_change_configuration if workspace else None
        if change is None or not change.dynamic_registration:
            return
        method = types.WORKSPACE_DID_CHANGE_CONFIGURATION
        options = types.DidChangeConfigurationRegistrationOptions(section=SECTION)
        params = types.RegistrationParams([types.Registration(id=method, method=method, register_options=options)])
        try:
            await self._ls.protocol.ask(types.CLIENT_REGISTER_CAPABILITY, params, timeout=_SECONDS)
        except (JsonRpcException, asyncio.TimeoutError) as error:
            _log.warning("llmstep: the client did not register for changes of the configuration: %s", error)

    def changed(self, settings: Any) -> None:
        """`workspace/didChangeConfiguration`: the settings inline, or a sign to ask for them.

        Those that are inline hold for the very next message, which may have been read already.
        """
        if settings:
            self.push(settings)
        else:
            self._ls.spawn(self.pull())

    def push(self, raw: Any) -> None:
        """Take a configuration of the editor; a wrong one is shown and dropped."""
        try:
            self._apply(configured=_section(raw))
        except SettingsError as error:
            self._ls.show_error(error)

    def override(self, **changes: Any) -> None:
        """Settings that a command chose; they hold until the editor's value for them changes.

        Raises:
            SettingsError: A value is wrong.
        """
        self._apply(session={**self._session, **changes})

    def _apply(
        self,
        *,
        initial: Mapping[str, Any] | None = None,
        configured: Mapping[str, Any] | None = None,
        session: dict[str, Any] | None = None,
    ) -> None:
        initial = self._initial if initial is None else initial
        configured = self._configured if configured is None else configured
        editor = Settings.decode({**_flat(initial), **_flat(configured)})
        before = Settings.decode({**_flat(self._initial), **_flat(self._configured)})
        if session is None:
            session = {
                key: value for key, value in self._session.items() if getattr(editor, key) == getattr(before, key)
            }
        settings = attrs.evolve(Settings.from_environment(editor), **session)
        self._initial, self._configured, self._session = initial, configured, session
        self._ls.configure(settings)


def _section(settings: Any) -> Mapping[str, Any]:
    """The section `llmstep` of an editor's settings, or all of them where a client sends nothing else."""
    if settings is None:
        return {}
    if isinstance(settings, Mapping) and SECTION in settings:
        settings = settings[SECTION] or {}
    if not isinstance(settings, Mapping):
        raise SettingsError(f"The settings of llmstep must be an object, not {settings!r}.", hint="Correct them.")
    return settings


def _flat(raw: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Nested sections as dotted keys, so that layers can be laid over each other; null leaves what is below."""
    flat: dict[str, Any] = {}
    for key, value in raw.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{path}{key}.")
        elif value is not None:
            flat[path + key] = value
    return flat
