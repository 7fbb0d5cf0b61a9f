"""Goals that the editor gives, from the Lean server that it runs anyway; from ours where it has none for the file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.errors import EditorLeanError, EditorLeanTimeoutError, LeanError, NoGoalError
from llmstep.types import Goal
from llmstep.wire.commands import PLAIN_GOAL, PlainGoal

if TYPE_CHECKING:
    from llmstep.lean.insertion_points import InsertionPoint
    from llmstep.lsp.session import Session
    from llmstep.memory import Document


NOT_HERE = int(types.ErrorCodes.MethodNotFound)
"""With this error the client says that it has no Lean server for the file; any other is one of its server."""


class _NotHereError(EditorLeanError):
    """The client has no Lean for the file."""


class ClientGoals:
    """Asks the client `llmstep/plainGoal` at each anchor, until one has goals; else our own Lean."""

    def __init__(self, ls: Session) -> None:
        self._ls = ls

    async def __call__(self, document: Document, point: InsertionPoint) -> Goal:
        """The goal at an insertion point.

        Our own Lean says it where the client has no Lean for the file, or one that fails or does not answer in time.

        Raises:
            NoGoalError: There is no open goal.
            LeanError: Neither can say; what the client's Lean said counts.
        """
        app = self._ls.app
        own = None if app is None else app.lean
        if not point.anchors and own is not None:  # no place in the text has just these goals
            return await own.goal(document.uri, document.text, point)
        try:
            return await self._ask(document, point)
        except LeanError as error:
            if own is None:
                raise
            try:
                return await own.goal(document.uri, document.text, point)
            except LeanError as second:
                raise (second if isinstance(error, _NotHereError) else error) from None

    async def _ask(self, document: Document, point: InsertionPoint) -> Goal:
        """The goal that the client says.

        Raises:
            NoGoalError: The client knows of no open goal there.
            LeanError: The client cannot say.
        """
        timeout = self._ls.settings.lean.timeout_seconds
        for anchor in point.anchors:
            params = types.TextDocumentPositionParams(types.TextDocumentIdentifier(document.uri), anchor)
            try:
                answer = await self._ls.protocol.ask_record(PLAIN_GOAL, params, PlainGoal, timeout)
            except JsonRpcException as error:
                raise (_NotHereError if error.code == NOT_HERE else EditorLeanError)(
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
