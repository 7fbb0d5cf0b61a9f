"""Goals that the editor gives, from the Lean server that it runs anyway; from ours where it has none for the file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.errors import EditorLeanTimeoutError, LeanError, NoGoalError
from llmstep.lsp.own_types import PLAIN_GOAL, PlainGoal
from llmstep.types import Goal

if TYPE_CHECKING:
    from llmstep.lean.site import Site
    from llmstep.lsp.session import Session
    from llmstep.memory import Document


NOT_HERE = int(types.ErrorCodes.MethodNotFound)
"""With this error the client says that it has no Lean server for the file; any other is one of its server."""


class ClientGoals:
    """Asks the client `llmstep/plainGoal` at each anchor of a site, until one has goals."""

    def __init__(self, ls: Session) -> None:
        self._ls = ls

    async def __call__(self, document: Document, site: Site) -> Goal:
        """The goal at a site.

        Raises:
            NoGoalError: The client knows of no open goal there.
            LeanError: The client cannot say.
        """
        if not site.anchors and self._ls.app is not None:  # no place in the text has just these goals
            return await self._ls.app.lean.goal(document.uri, document.text, site)
        timeout = self._ls.settings.lean.timeout_seconds
        for anchor in site.anchors:
            params = types.TextDocumentPositionParams(types.TextDocumentIdentifier(document.uri), anchor)
            try:
                answer: PlainGoal | None = await self._ls.protocol.ask(PLAIN_GOAL, params, timeout=timeout)
            except JsonRpcException as error:
                if error.code == NOT_HERE and self._ls.app is not None:
                    return await self._ls.app.lean.goal(document.uri, document.text, site)
                raise LeanError(
                    f"The editor's Lean server did not give the goal: {error.message}", hint="Is it running?"
                ) from None
            except asyncio.TimeoutError:
                raise EditorLeanTimeoutError(
                    f"The editor's Lean server did not give the goal within {timeout:g} seconds.",
                    hint="Wait until Lean has finished the file, or raise llmstep.lean.timeoutSeconds.",
                ) from None
            if answer is not None and answer.goals:
                main, *others = answer.goals
                return Goal(main, tuple(others))
        raise NoGoalError("Lean sees no goal here.", hint="Put the cursor at an unfinished step of a proof.")
