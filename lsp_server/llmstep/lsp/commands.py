"""The smaller commands: what runs, stop, another Lean server, the imports of a file."""

from __future__ import annotations

import asyncio

import attrs
from lsprotocol import types

from llmstep.lsp.progress import working
from llmstep.lsp.session import Session
from llmstep.progress import Progress
from llmstep.wire.commands import BuildAnswer, DocumentParams, StatusAnswer, StopAnswer
from llmstep.wire.state import LeanProcessRow, LeanServer


async def status(ls: Session, *_: object) -> StatusAnswer:
    """What runs, and where."""
    app = await ls.ready()
    servers = await asyncio.to_thread(app.lean.servers)
    lean = [
        LeanServer(
            root=str(server.root),
            command=server.command,
            processes=tuple(LeanProcessRow(**attrs.asdict(each)) for each in server.processes),
        )
        for server in servers
    ]
    return StatusAnswer(
        **attrs.asdict(ls.status.of(app.engine.status)),
        version=ls.version,
        http=ls.endpoint.url if ls.endpoint else None,
        lean=tuple(lean),
    )


async def stop(ls: Session, *_: object) -> StopAnswer:
    """Stop all work that is running."""
    return StopAnswer(stopped=ls.stop_work())


async def restart_lean(ls: Session, *_: object) -> None:
    """Stop llmstep's own Lean servers; the next question starts new ones, which read rebuilt imports."""
    app = await ls.ready()
    ls.runs.stop()
    await app.lean.restart()


async def build_imports(ls: Session, wanted: DocumentParams, token: types.ProgressToken | None) -> BuildAnswer:
    """Build what a file imports; ended by a cancel of the request or of its progress."""
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
