"""The imports of open files: noticed when they change, and built when the user asks for that."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lsprotocol import types
from pygls.uris import to_fs_path

from llmstep.lsp.progress import working
from llmstep.lsp.session import Session
from llmstep.progress import Progress
from llmstep.wire.commands import BuildAnswer, DocumentParams

_WATCHED = ("**/*.lean", "**/*.ilean")
"""Sources, and what Lean writes beside each compiled module."""


async def build_imports(ls: Session, wanted: DocumentParams, token: types.ProgressToken | None) -> BuildAnswer:
    """Build what a file imports; ended by a cancel of the request or of its progress.

    Raises:
        RequestError: The document is not open.
        LeanError: There is nothing to build, or the build failed; the user has seen why.
    """
    document = ls.documents.snapshot(wanted.text_document.uri)
    app = await ls.ready()
    said = ""

    def show(update: Progress) -> None:
        nonlocal said
        said = update.message
        progress.show(update)

    try:
        async with working(ls, token, "llmstep: building the imports", spans={"goal": (0, 100)}) as progress:
            await app.lean.build_imports(document.uri, document.text, show)
            progress.outcome = "The imports are built"
    finally:
        ls.refresh_hints()
    return BuildAnswer(said=said)


def did_save(ls: Session, params: types.DidSaveTextDocumentParams) -> None:
    """What rests on a file that was saved is no longer known."""
    _written(ls, [params.text_document.uri])


def did_change_watched_files(ls: Session, params: types.DidChangeWatchedFilesParams) -> None:
    """The same where another program wrote it, a build for example."""
    _written(ls, [change.uri for change in params.changes])


def _written(ls: Session, uris: Iterable[str]) -> None:
    files = [Path(path) for uri in uris if (path := to_fs_path(uri))]
    if ls.app is not None and files and ls.app.lean.saved(files):
        ls.refresh_hints()


async def watch(ls: Session) -> None:
    """Ask to hear of files that are written, where the client wants to be asked for that."""
    workspace = ls.client_capabilities.workspace
    watched = workspace.did_change_watched_files if workspace else None
    if watched is None or not watched.dynamic_registration:
        return
    options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(each) for each in _WATCHED])
    await ls.protocol.register(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
