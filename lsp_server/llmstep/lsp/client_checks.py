"""Checks that the editor's own Lean server makes, for files that import the Lean package."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.lean.prefilter import hypothesis_names, prefilter
from llmstep.types import Check, Goal, Verdict
from llmstep.wire.commands import CHECK_SUGGESTIONS, Checked, CheckedSuggestions, CheckParams
from llmstep.wire.records import to_editor

if TYPE_CHECKING:
    from llmstep.lean.insertion_points import InsertionPoint
    from llmstep.lsp.session import Session
    from llmstep.memory import Document


class ClientChecks:
    """Asks the client `llmstep/checkSuggestions`, which asks `LLMstep.checkSuggestions` of the Lean package."""

    def __init__(self, ls: Session) -> None:
        self._ls = ls

    async def __call__(
        self,
        document: Document,
        point: InsertionPoint,
        goal: Goal,
        candidates: Sequence[str],
        on_result: Callable[[int, Check], None],
    ) -> list[Check] | None:
        """The verdicts, in order; None where the client cannot check here, so that our own Lean has to.

        It cannot where the file does not import the package, where the step runs on several goals or begins a proof
        inside a term, and where its Lean does not answer in time.
        """
        if point.distributed or not point.anchors:
            return None
        names = hypothesis_names(goal.text)
        checks: dict[int, Check] = {}
        for number, text in enumerate(candidates):
            if reason := prefilter(text, point, names, native=self._ls.settings.check.allow_native_decide):
                checks[number] = Check(Verdict.INVALID, message=reason)
                on_result(number, checks[number])
        pending = [number for number in range(len(candidates)) if number not in checks]
        texts = [candidates[number] for number in pending]
        checked = await self._answers(document, point, texts) if texts else []
        if [each.text for each in checked] != texts:
            return None
        for number, each in zip(pending, checked, strict=True):
            checks[number] = Check(Verdict(each.verdict), each.goals, each.message)
            on_result(number, checks[number])
        return [checks[number] for number in range(len(candidates))]

    async def _answers(self, document: Document, point: InsertionPoint, texts: list[str]) -> Sequence[Checked]:
        """What the client's Lean says; nothing where it says nothing."""
        settings = self._ls.settings
        timeout = settings.lean.timeout_seconds + settings.check.timeout_seconds * len(texts)
        asked = CheckParams(
            text_document=types.TextDocumentIdentifier(document.uri),
            position=point.anchors[0],
            suggestions=tuple(texts),
            max_heartbeats=settings.check.max_heartbeats,
        )
        try:
            ask = self._ls.protocol.ask_record
            answer = await ask(CHECK_SUGGESTIONS, to_editor(asked), CheckedSuggestions, timeout)
        except (JsonRpcException, asyncio.TimeoutError):
            return []
        return answer.checked if answer else []
