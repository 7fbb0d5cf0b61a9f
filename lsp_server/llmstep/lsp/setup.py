"""The one place where the features are registered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any

from lsprotocol import types

from llmstep.lsp import (
    code_actions,
    commands,
    inlay_hints,
    inline_completion,
    known,
    models,
    prove,
    suggest,
)
from llmstep.lsp.runs import CLOSED
from llmstep.lsp.session import Session, path_of
from llmstep.wire.commands import COMMANDS, KNOWN, Message
from llmstep.wire.reading import EDITORS, argument_error
from llmstep.wire.records import to_editor

_WATCHED = ("**/*.lean", "**/*.ilean")
"""Sources, and what Lean writes beside each compiled module."""


def initialize(ls: Session, params: types.InitializeParams) -> None:
    set_trace(ls, types.SetTraceParams(params.trace or types.TraceValue.Off))
    uri = params.workspace_folders[0].uri if params.workspace_folders else params.root_uri
    ls.sync.initialize(params.initialization_options, path_of(uri))


def set_trace(ls: Session, params: types.SetTraceParams) -> None:
    """`$/setTrace`: with anything but `off` the client gets the details of the log as `$/logTrace`."""
    ls.protocol.trace = types.TraceValue(params.value)
    logging.getLogger("llmstep").setLevel(logging.INFO if ls.protocol.trace is types.TraceValue.Off else logging.DEBUG)


def initialized(ls: Session, _: types.InitializedParams) -> None:
    ls.start()
    workspace = ls.client_capabilities.workspace
    watched = workspace.did_change_watched_files if workspace else None
    if watched is not None and watched.dynamic_registration:
        options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(each) for each in _WATCHED])
        ls.spawn(ls.protocol.register(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options))


def did_open(ls: Session, params: types.DidOpenTextDocumentParams) -> None:
    ls.memory.forget(params.text_document.uri)


def did_close(ls: Session, params: types.DidCloseTextDocumentParams) -> None:
    ls.runs.stop(params.text_document.uri, CLOSED)
    ls.memory.forget(params.text_document.uri)


def did_save(ls: Session, params: types.DidSaveTextDocumentParams) -> None:
    """What rests on a file that was saved is no longer known."""
    _written(ls, [params.text_document.uri])


def did_change_watched_files(ls: Session, params: types.DidChangeWatchedFilesParams) -> None:
    """The same where another program wrote it, a build for example."""
    _written(ls, [change.uri for change in params.changes])


def _written(ls: Session, uris: Iterable[str]) -> None:
    files = [path for uri in uris if (path := path_of(uri))]
    if ls.app is not None and files and ls.app.lean.saved(files):
        ls.refresh_hints()


def did_change_folders(ls: Session, _: types.DidChangeWorkspaceFoldersParams) -> None:
    if ls.offer is not None:
        ls.offer.refresh()


def did_change_configuration(ls: Session, params: types.DidChangeConfigurationParams) -> None:
    """The settings inline, which hold for the very next message, or a sign to ask for them."""
    if params.settings:
        ls.sync.push(params.settings)
    else:
        ls.spawn(ls.sync.pull())


def create_session() -> Session:
    """A companion with all features, before `initialize`."""
    session = Session()
    register(session)
    return session


def register(ls: Session) -> None:
    """Give a session all features."""
    ls.on_rest = lambda *place: ls.spawn(suggest.suggest_at_rest(ls, *place))
    ls.feature(types.INITIALIZE)(initialize)
    ls.feature(types.INITIALIZED)(initialized)
    ls.feature(types.SET_TRACE)(set_trace)
    ls.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    ls.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)
    ls.feature(types.TEXT_DOCUMENT_DID_SAVE)(did_save)
    ls.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(did_change_watched_files)
    ls.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(did_change_folders)
    ls.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)
    ls.feature(types.TEXT_DOCUMENT_CODE_ACTION, code_actions.OPTIONS)(code_actions.code_actions)
    ls.feature(types.TEXT_DOCUMENT_INLAY_HINT)(inlay_hints.inlay_hints)
    ls.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, inline_completion.OPTIONS)(inline_completion.inline_completion)
    ls.feature(types.TEXT_DOCUMENT_CODE_LENS, code_actions.LENS_OPTIONS)(code_actions.code_lens)
    ls.feature(KNOWN)(partial(known.known, ls))
    for command in COMMANDS:
        ls.command(command.name)(partial(_run, ls, command, _HANDLERS[command.name]))


_HANDLERS: Mapping[str, Callable[..., Coroutine[Any, Any, Any]]] = {
    "llmstep.suggest": suggest.suggest,
    "llmstep.prove": prove.prove,
    "llmstep.fillSorries": prove.fill_sorries,
    "llmstep.choose": known.choose,
    "llmstep.accept": known.accept,
    "llmstep.models": models.models,
    "llmstep.selectModel": models.select_model,
    "llmstep.downloadModel": models.download_model,
    "llmstep.status": commands.status,
    "llmstep.stop": commands.stop,
    "llmstep.buildImports": commands.build_imports,
    "llmstep.restartLean": commands.restart_lean,
}
"""What runs each command of `wire.commands`: it takes the session, the command's record and the token of progress."""


async def _run(
    ls: Session,
    command: Message,
    handler: Callable[..., Coroutine[Any, Any, Any]],
    params: types.ExecuteCommandParams,
) -> Any:
    """Run a command: its one argument becomes a record, and so does what it answers.

    Raises:
        RequestError: A field of the argument is missing, unknown, or has a wrong type or value.
    """
    wanted: Any = None
    if command.params is not None:
        raw = params.arguments[0] if params.arguments else {}
        wanted = EDITORS.read(command.params, raw, argument_error(command.name))
    return to_editor(await handler(ls, wanted, params.work_done_token))
