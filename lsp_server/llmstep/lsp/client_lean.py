"""Goals and checks that the editor gives, from the Lean server that it runs anyway; from ours where it cannot.

Checks are made for files that import the Lean package.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from llmstep.errors import EditorLeanError, EditorLeanTimeoutError, LeanError, NoGoalError
from llmstep.lean.insertion_points import InsertionPoint
from llmstep.lean.prefilter import hypothesis_names, prefilter
from llmstep.lsp.session import Session
from llmstep.memory import Document
from llmstep.types import Check, Goal, Verdict
from llmstep.wire.commands import (
    CHECK_SUGGESTIONS,
    PLAIN_GOAL,
    Checked,
    CheckedSuggestions,
    CheckParams,
    PlainGoal,
)
from llmstep.wire.records import to_editor

NOT_HERE = int(types.ErrorCodes.MethodNotFound)
"""With this error the client says that it has no Lean server for the file; any other is one of its server."""


class _NotHereError(EditorLeanError):
    """The client has no Lean for the file."""


async def client_goal(ls: Session, document: Document, point: InsertionPoint) -> Goal:
    """The goal at an insertion point, by the client, asked with `llmstep/plainGoal` at each anchor until one has goals.

    Our own Lean says it where the client has no Lean for the file, or one that fails or does not answer in time.

    Raises:
        NoGoalError: There is no open goal.
        LeanError: Neither can say; what the client's Lean said counts.
    """
    own = (await ls.ready()).lean
    if not point.anchors:  # no place in the text has just these goals
        return await own.goal(document.uri, document.text, point)
    try:
        return await _ask(ls, document, point)
    except LeanError as error:
        try:
            return await own.goal(document.uri, document.text, point)
        except LeanError as second:
            raise (second if isinstance(error, _NotHereError) else error) from None


async def _ask(ls: Session, document: Document, point: InsertionPoint) -> Goal:
    timeout = ls.settings.lean.timeout_seconds
    for anchor in point.anchors:
        params = types.TextDocumentPositionParams(types.TextDocumentIdentifier(document.uri), anchor)
        try:
            answer = await ls.protocol.ask_record(PLAIN_GOAL, params, PlainGoal, timeout)
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


async def client_checks(
    ls: Session,
    document: Document,
    point: InsertionPoint,
    goal: Goal,
    candidates: Sequence[str],
    on_result: Callable[[int, Check], None],
) -> list[Check] | None:
    """The verdicts of the client, in order; None where it cannot check here, so that our own Lean has to.

    It is asked `llmstep/checkSuggestions`, and asks `LLMstep.checkSuggestions` of the Lean package. It cannot check
    where the file does not import the package, where the step runs on several goals or begins a proof inside a term,
    and where its Lean does not answer in time.
    """
    if point.distributed or not point.anchors:
        return None
    names = hypothesis_names(goal.text)
    checks: dict[int, Check] = {}
    for number, text in enumerate(candidates):
        if reason := prefilter(text, point, names, native=ls.settings.check.allow_native_decide):
            checks[number] = Check(Verdict.INVALID, message=reason)
            on_result(number, checks[number])
    pending = [number for number in range(len(candidates)) if number not in checks]
    texts = [candidates[number] for number in pending]
    checked = await _answers(ls, document, point, texts) if texts else []
    if [each.text for each in checked] != texts:
        return None
    for number, each in zip(pending, checked, strict=True):
        checks[number] = Check(Verdict(each.verdict), each.goals, each.message)
        on_result(number, checks[number])
    return [checks[number] for number in range(len(candidates))]


async def _answers(ls: Session, document: Document, point: InsertionPoint, texts: list[str]) -> Sequence[Checked]:
    """What the client's Lean says; nothing where it says nothing."""
    settings = ls.settings
    timeout = settings.lean.timeout_seconds + settings.check.timeout_seconds * len(texts)
    asked = CheckParams(
        text_document=types.TextDocumentIdentifier(document.uri),
        position=point.anchors[0],
        suggestions=tuple(texts),
        max_heartbeats=settings.check.max_heartbeats,
    )
    try:
        answer = await ls.protocol.ask_record(CHECK_SUGGESTIONS, to_editor(asked), CheckedSuggestions, timeout)
    except (JsonRpcException, asyncio.TimeoutError):
        return []
    return answer.checked if answer else []
