"""Proves the `sorry`s of a file, one after the other, each in the file as it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from llmstep.aside import aside
from llmstep.errors import LeanTimeoutError, NoGoalError
from llmstep.lean.insertion_point import InsertionKind
from llmstep.lean.insertion_points import InsertionPoint, find_insertion_points
from llmstep.lean.text import masked_text, offset_at, position_at
from llmstep.lean.trial import GAP
from llmstep.progress import Progress, ProgressSink, silent
from llmstep.search.attempt import Attempt, Task

if TYPE_CHECKING:
    from lsprotocol.types import TextEdit

    from llmstep.lean.workspace import LeanWorkspace


@attrs.frozen
class Sorry:
    """A `sorry` in a text."""

    start: int
    end: int
    point: InsertionPoint


@attrs.frozen
class Filled:
    """What came of one `sorry`."""

    sorry: Sorry
    attempt: Attempt | None
    """None where it was not even tried."""
    reason: str = ""
    """Why there is no proof; empty when there is one."""


def find_sorries(text: str) -> list[Sorry]:
    """The `sorry`s of a text that stand for a proof, in their order; those in comments and strings do not count."""
    found: list[Sorry] = []
    for match in GAP.finditer(masked_text(text)):
        point = next(iter(find_insertion_points(text, position_at(text, match.start()))), None)
        if (
            point is not None
            and point.kind in (InsertionKind.SORRY, InsertionKind.TERM)
            and point.start <= match.start() < point.end
        ):
            found.append(Sorry(match.start(), match.end(), point))
    return found


async def fill(
    uri: str,
    text: str,
    prove: Callable[[Task, ProgressSink], Awaitable[Attempt]],
    lean: LeanWorkspace,
    expansions: int,
    progress: ProgressSink = silent,
) -> list[Filled]:
    """Look for a proof of each `sorry`.

    The edits of all that were proved may be applied together: Lean has run the file with all of them.

    Args:
        expansions: Most of each search, for the progress.

    Raises:
        LeanError: Lean cannot be started, or crashes.
        ModelError: The model cannot be loaded or run.
    """
    sorries = await aside(find_sorries, text)
    results: list[Filled] = []
    for number, sorry in enumerate(sorries):

        def numbered(update: Progress, number: int = number) -> None:
            progress(_numbered(update, number, len(sorries), expansions))

        try:
            made = await prove(Task(uri, text, [sorry.point]), numbered)
            results.append(Filled(sorry, made, "" if made.edit else made.outcome))
        except (NoGoalError, LeanTimeoutError) as error:
            results.append(Filled(sorry, None, error.message.rstrip(".")))
    return await _together(uri, text, lean, results)


async def _together(uri: str, text: str, lean: LeanWorkspace, results: Sequence[Filled]) -> list[Filled]:
    """The results, without the proofs that Lean refuses beside those before them."""
    edits = {each.sorry.start: each.attempt.edit for each in results if each.attempt and each.attempt.edit}
    if len(edits) < 2:
        return list(results)
    before = Counter(await lean.errors(uri, text))

    async def goes(edits: Sequence[TextEdit]) -> bool:
        return not Counter(await lean.errors(uri, applied(text, edits))) - before

    if await goes(list(edits.values())):
        return list(results)
    kept: list[TextEdit] = []
    checked: list[Filled] = []
    for each in results:
        edit = edits.get(each.sorry.start)
        if edit is None or await goes([*kept, edit]):
            kept += [edit] if edit else []
            checked.append(each)
        else:
            checked.append(attrs.evolve(each, reason="refused beside the other proofs"))
    return checked


def applied(text: str, edits: Sequence[TextEdit]) -> str:
    """The text after edits that do not overlap."""
    for edit in sorted(edits, key=lambda edit: offset_at(text, edit.range.start), reverse=True):
        text = text[: offset_at(text, edit.range.start)] + edit.new_text + text[offset_at(text, edit.range.end) :]
    return text


def _numbered(update: Progress, number: int, count: int, expansions: int) -> Progress:
    """The progress of one search as that of all."""
    message = f"{number + 1} of {count}: {update.message}"
    if update.stage in ("download", "load"):
        return attrs.evolve(update, message=message)
    done = min(update.done, expansions) if update.stage == "search" else 0
    return Progress("search", message, number * expansions + done, count * expansions)
