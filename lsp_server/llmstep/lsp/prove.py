"""Whole proofs: the commands `llmstep.prove` and `llmstep.fillSorries`.

What is found is returned, and remembered like a suggestion, so that the lightbulb and the inlay hint offer it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llmstep.aside import aside
from llmstep.errors import LlmstepError, RequestError
from llmstep.lean.text import range_at
from llmstep.lsp import code_actions
from llmstep.lsp.arguments import read_argument, read_diagnostics, read_position, read_uri
from llmstep.lsp.known import tell
from llmstep.lsp.progress import WorkDone
from llmstep.lsp.runs import STOPPED
from llmstep.setting_values import shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from lsprotocol import types

    from llmstep.engine.progress import Progress
    from llmstep.lsp.runs import Run
    from llmstep.lsp.session import Session
    from llmstep.memory import Document
    from llmstep.search.prover import Attempt, Method
    from llmstep.search.sorries import Filled

FILL_SORRIES = "llmstep.fillSorries"

_BOUNDS: Mapping[str, tuple[float, float]] = {
    "expansions": (1, 10_000),
    "seconds": (0.1, 86_400),
    "samples": (1, 256),
    "seed": (0, 2**32 - 1),
}


@attrs.frozen
class ProveArguments:
    """`{textDocument: {uri}, position, diagnostics?, tactics?, expansions?, seconds?, samples?, seed?}`.

    `llmstep.fillSorries` takes the same without a position.
    """

    uri: str
    position: types.Position | None
    diagnostics: tuple[types.Diagnostic, ...]
    options: Mapping[str, Any]

    @classmethod
    def decode(cls, arguments: Sequence[Any] | None, *, placed: bool) -> ProveArguments:
        """
        Raises:
            RequestError: Something is missing, or has a wrong type or value.
        """
        try:
            raw = read_argument(arguments)
            position = read_position(raw["position"]) if placed else None
            made = cls(read_uri(raw), position, read_diagnostics(raw), _options(raw))
        except (KeyError, TypeError, ValueError):
            raise RequestError(
                f"{code_actions.PROVE if placed else FILL_SORRIES} was called without its argument.",
                hint="Its argument is {textDocument: {uri}" + (", position: {line, character}}." if placed else "}."),
            ) from None
        return made

    def method(self, ls: Session) -> Method:
        """How to search, by the arguments and the settings."""
        from llmstep.search.prover import Method

        settings = ls.settings
        return Method(
            **{"tactics": "both", **self.options},
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_new_tokens=settings.max_new_tokens,
        )


def _options(raw: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (least, most) in _BOUNDS.items():
        value = raw.get(name)
        if value is None:
            continue
        number = isinstance(value, int if name != "seconds" else (int, float)) and not isinstance(value, bool)
        if not number or not least <= value <= most:
            raise RequestError(f"{name} is {shown(value)}.", hint=f"It must be a number from {least:g} to {most:g}.")
        found[name] = value
    if (tactics := raw.get("tactics")) is not None:
        if tactics not in ("model", "list", "both"):
            raise RequestError(f"tactics is {shown(tactics)}.", hint="It must be model, list or both.")
        found["tactics"] = tactics
    return found


async def prove(ls: Session, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """Search for a whole proof of the goal at a position.

    Returns:
        `{proof, edit, expansions, seconds, model, outcome}`; `proof` and `edit` are null when none was found.

    Raises:
        RequestError: The argument is malformed, or the document is not open.
        NoGoalError: There is no goal.
        LlmstepError: The work failed; the user has been told.
        JsonRpcException: An edit, another request or the user ended the work.
    """
    wanted = ProveArguments.decode(params.arguments, placed=True)
    document = ls.documents.snapshot(wanted.uri)
    assert wanted.position is not None
    position = wanted.position

    async def work(run: Run, report: Callable[[Progress], None]) -> tuple[Attempt, str]:
        sites = (await ls.places.at(document, position, wanted.diagnostics, latest=False)).sites
        run.works_at(sites)
        app = await ls.ready()
        found = await app.prove(document, sites, wanted.method(ls), report)
        return found, _outcome(found)

    found = await _run(ls, params, document, work)
    await _remember(ls, document, found)
    return {
        "proof": found.proof,
        "edit": found.edit,
        "expansions": found.expansions,
        "seconds": found.seconds,
        "model": found.model,
        "outcome": found.outcome,
    }


async def fill_sorries(ls: Session, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """Search for a proof of each `sorry` of a file.

    Returns:
        `{proved: [{range, edit, proof}], failed: [{range, reason}]}`; the ranges are those of the words, and the edits
        may be applied together.

    Raises:
        RequestError: The argument is malformed, or the document is not open.
        LlmstepError: The work failed; the user has been told.
        JsonRpcException: An edit, another request or the user ended the work.
    """
    from llmstep.search.sorries import find_sorries

    wanted = ProveArguments.decode(params.arguments, placed=False)
    document = ls.documents.snapshot(wanted.uri)

    async def work(run: Run, report: Callable[[Progress], None]) -> tuple[list[Filled], str]:
        run.works_at([each.site for each in await aside(find_sorries, document.text)])
        app = await ls.ready()
        results = await app.fill(document, wanted.method(ls), report)
        return results, f"{sum(not each.reason for each in results)} of {len(results)} proved"

    results = await _run(ls, params, document, work)
    answer: dict[str, Any] = {"proved": [], "failed": []}
    for each in results:
        where = await aside(range_at, document.text, each.sorry.start, each.sorry.end)
        if each.reason or each.attempt is None:
            answer["failed"].append({"range": where, "reason": each.reason})
        else:
            answer["proved"].append({"range": where, "edit": each.attempt.edit, "proof": each.attempt.proof})
            await _remember(ls, document, each.attempt)
    return answer


async def _run(
    ls: Session,
    params: types.ExecuteCommandParams,
    document: Document,
    work: Callable[[Run, Callable[[Progress], None]], Awaitable[tuple[Any, str]]],
) -> Any:
    """Do the work as the document's run, with progress that the user may cancel."""
    progress: WorkDone | None = None
    outcome = "Stopped"

    def report(step: Progress) -> None:
        if progress is not None:
            progress.report(step)
        ls.status.step(step)

    try:
        with ls.runs.begin(document.uri) as run:
            progress = await WorkDone.begin(ls, params.work_done_token, "llmstep", lambda: run.cancel(STOPPED))
            result, outcome = await work(run, report)
            return result
    except LlmstepError as error:
        outcome = error.message
        ls.show_error(error)
        raise
    finally:
        ls.status.step(None)
        if progress is not None:
            progress.end(outcome)


async def _remember(ls: Session, document: Document, found: Attempt) -> None:
    """Offer a proof like a suggestion, the first of its goal, unless the goal has changed meanwhile."""
    app = await ls.ready()
    if await app.remember(document, ls.documents.find(document.uri), found):
        tell(ls, document.uri)
        ls.refresh_hints()


def _outcome(found: Attempt) -> str:
    count = len(found.steps or ())
    if found.proof is None:
        return f"No proof found in {found.expansions} expansions"
    return f"Found a proof of {count} step{'' if count == 1 else 's'}"
