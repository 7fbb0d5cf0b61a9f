"""The smaller commands: what runs, stop, another Lean server."""

from __future__ import annotations

import asyncio

import attrs

from llmstep.lsp.session import Session
from llmstep.wire.commands import StatusAnswer, StopAnswer
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
        **attrs.asdict(ls.status.now()),
        version=ls.version,
        http=ls.endpoint.url if ls.endpoint else None,
        lean=tuple(lean),
    )


async def stop(ls: Session, *_: object) -> StopAnswer:
    """Stop all work that is running."""
    ls.idle.stop()
    return StopAnswer(stopped=ls.runs.stop())


async def restart_lean(ls: Session, *_: object) -> None:
    """Stop llmstep's own Lean servers; the next question starts new ones, which read rebuilt imports."""
    app = await ls.ready()
    ls.runs.stop()
    await app.lean.restart()
