"""The one place where the features are registered."""

from __future__ import annotations

import logging
from functools import partial

from lsprotocol import types

from llmstep.lsp import (
    choose,
    code_actions,
    code_lens,
    commands,
    download,
    imports,
    inlay_hints,
    inline_completion,
    known,
    prove,
    suggest,
)
from llmstep.lsp.own_types import KNOWN
from llmstep.lsp.runs import CLOSED
from llmstep.lsp.session import Session, folder


def initialize(ls: Session, params: types.InitializeParams) -> None:
    set_trace(ls, types.SetTraceParams(params.trace or types.TraceValue.Off))
    uri = params.workspace_folders[0].uri if params.workspace_folders else params.root_uri
    ls.sync.initialize(params.initialization_options, folder(uri))


def set_trace(ls: Session, params: types.SetTraceParams) -> None:
    """`$/setTrace`: with anything but `off` the client gets the details of the log as `$/logTrace`."""
    ls.protocol.trace = types.TraceValue(params.value)
    logging.getLogger("llmstep").setLevel(logging.INFO if ls.protocol.trace is types.TraceValue.Off else logging.DEBUG)


async def initialized(ls: Session, _: types.InitializedParams) -> None:
    await ls.start()


def did_open(ls: Session, params: types.DidOpenTextDocumentParams) -> None:
    ls.memory.forget(params.text_document.uri)


def did_close(ls: Session, params: types.DidCloseTextDocumentParams) -> None:
    ls.runs.stop(params.text_document.uri, CLOSED)
    ls.memory.forget(params.text_document.uri)


def did_change_folders(ls: Session, _: types.DidChangeWorkspaceFoldersParams) -> None:
    if ls.offer is not None:
        ls.offer.refresh()


def did_change_configuration(ls: Session, params: types.DidChangeConfigurationParams) -> None:
    ls.sync.changed(params.settings)


def create_session() -> Session:
    """A companion with all features, before `initialize`."""
    session = Session()
    register(session)
    return session


def register(ls: Session) -> None:
    """Give a session all features."""
    ls.idle.on_rest = partial(suggest.suggest_at_rest, ls)
    ls.on_start.append(partial(imports.watch, ls))
    ls.feature(types.INITIALIZE)(initialize)
    ls.feature(types.INITIALIZED)(initialized)
    ls.feature(types.SET_TRACE)(set_trace)
    ls.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    ls.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)
    ls.feature(types.TEXT_DOCUMENT_DID_SAVE)(imports.did_save)
    ls.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(imports.did_change_watched_files)
    ls.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(did_change_folders)
    ls.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)
    ls.feature(types.TEXT_DOCUMENT_CODE_ACTION, code_actions.OPTIONS)(code_actions.code_actions)
    ls.feature(types.TEXT_DOCUMENT_INLAY_HINT)(inlay_hints.inlay_hints)
    ls.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, inline_completion.OPTIONS)(inline_completion.inline_completion)
    ls.feature(types.TEXT_DOCUMENT_CODE_LENS, code_lens.OPTIONS)(code_lens.code_lens)
    ls.feature(KNOWN)(known.known)
    ls.command(code_actions.SUGGEST)(suggest.suggest)
    ls.command(code_actions.PROVE)(prove.prove)
    ls.command(prove.FILL_SORRIES)(prove.fill_sorries)
    ls.command(choose.CHOOSE)(choose.choose)
    ls.command(choose.ACCEPT)(choose.accept)
    ls.command(download.DOWNLOAD_MODEL)(download.download_model)
    ls.command(commands.STATUS)(commands.status)
    ls.command(commands.MODELS)(commands.models)
    ls.command(commands.SELECT_MODEL)(commands.select_model)
    ls.command(commands.STOP)(commands.stop)
    ls.command(imports.BUILD_IMPORTS)(imports.build_imports)
    ls.command(commands.RESTART_LEAN)(commands.restart_lean)
