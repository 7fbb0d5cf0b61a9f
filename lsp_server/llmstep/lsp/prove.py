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
from llmstep.lsp.known import notify
from llmstep.lsp.progress import WorkDone
from llmstep.lsp.runs import STOPPED
from llmstep.setting_values import shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from lsprotocol import types

    from llmstep.lsp.runs import Run
    from llmstep.lsp.session import Session
    from llmstep.memory import Document
    from llmstep.progress import Progress, ProgressSink
    from llmstep.proofs.plan import Plan
    from llmstep.search.prover import Attempt
    from llmstep.search.sorries import Filled

FILL_SORRIES = "llmstep.fillSorries"

_BOUNDS: Mapping[str, tuple[float, float]] = {
    "expansions": (1, 10_000),
    "seconds": (0.1, 86_400),
    "samples": (1, 256),
    "seed": (0, 2**32 - 1),
    "rounds": (0, 32),
    "tokens": (256, 1_000_000),
}
_WORDS: Mapping[str, tuple[str, ...]] = {
    "tactics": ("model", "list", "both"),
    "strategy": ("auto", "search", "write", "sketch"),
}


@attrs.frozen
class ProveArguments:
    """`{textDocument: {uri}, position, diagnostics?, strategy?, rounds?, tokens?, seconds?, tactics?, expansions?,
    samples?, seed?}`.

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

    def plan(self, ls: Session) -> Plan:
        """How to look for a proof, by the arguments and, where they do not say, the settings."""
        from llmstep.proofs.plan import Plan
        from llmstep.search.prover import Method

        settings = ls.settings
        options = dict(self.options)
        plan = {name: options.pop(name) for name in ("strategy", "rounds", "tokens") if name in options}
        method = Method(
            **{"tactics": "both", "seconds": settings.prove_seconds, **options},
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_new_tokens=settings.max_new_tokens,
        )
        return Plan.of(settings, method, **plan)


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
    for name, words in _WORDS.items():
        if (word := raw.get(name)) is None:
            continue
        if word not in words:
            raise RequestError(f"{name} is {shown(word)}.", hint=f"It must be {', '.join(words[:-1])} or {words[-1]}.")
        found[name] = word
    return found


async def prove(ls: Session, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """Search for a whole proof of the goal at a position.

    Returns:
        `{proof, edit, expansions, seconds, model, outcome, strategy, rounds, tokens, partial}`; `proof` and `edit` are
        null when none was found. `partial` is `{proof, edit, goals}` where all but some goals are proved, else null.

    Raises:
        RequestError: The argument is malformed, or the document is not open.
        NoGoalError: There is no goal.
        LlmstepError: The work failed; the user has seen why.
        JsonRpcException: An edit, another request or the user ended the work.
    """
    wanted = ProveArguments.decode(params.arguments, placed=True)
    document = ls.documents.snapshot(wanted.uri)
    assert wanted.position is not None
    position = wanted.position

    async def work(run: Run, progress: ProgressSink) -> tuple[Attempt, str]:
        from llmstep.proofs.summary import outcome

        points = (await ls.places.at(document, position, wanted.diagnostics, latest=False)).points
        run.works_at(points)
        app = await ls.ready()
        found = await app.prove(document, points, wanted.plan(ls), progress)
        return found, outcome(found)

    found = await _run(ls, params, document, work)
    await _remember(ls, document, found)
    return {
        "proof": found.proof,
        "edit": found.edit,
        "expansions": found.expansions,
        "seconds": found.seconds,
        "model": found.model,
        "outcome": found.outcome,
        "strategy": found.strategy,
        "rounds": found.rounds,
        "tokens": found.tokens,
        "partial": _partial(found),
    }


def _partial(found: Attempt) -> dict[str, Any] | None:
    partial = found.partial
    return None if partial is None else {"proof": partial.proof, "edit": partial.edit, "goals": list(partial.goals)}


async def fill_sorries(ls: Session, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """Search for a proof of each `sorry` of a file.

    Returns:
        `{proved: [{range, edit, proof}], failed: [{range, reason, partial}]}`; the ranges are those of the words, and
        the edits may be applied together.

    Raises:
        RequestError: The argument is malformed, or the document is not open.
        LlmstepError: The work failed; the user has seen why.
        JsonRpcException: An edit, another request or the user ended the work.
    """
    from llmstep.search.sorries import find_sorries

    wanted = ProveArguments.decode(params.arguments, placed=False)
    document = ls.documents.snapshot(wanted.uri)

    async def work(run: Run, progress: ProgressSink) -> tuple[list[Filled], str]:
        run.works_at([each.point for each in await aside(find_sorries, document.text)])
        app = await ls.ready()
        results = await app.fill(document, wanted.plan(ls), progress)
        return results, f"{sum(not each.reason for each in results)} of {len(results)} proved"

    results = await _run(ls, params, document, work)
    answer: dict[str, Any] = {"proved": [], "failed": []}
    for each in results:
        where = await aside(range_at, document.text, each.sorry.start, each.sorry.end)
        if each.reason or each.attempt is None:
            partial = _partial(each.attempt) if each.attempt else None
            answer["failed"].append({"range": where, "reason": each.reason, "partial": partial})
        else:
            answer["proved"].append({"range": where, "edit": each.attempt.edit, "proof": each.attempt.proof})
            await _remember(ls, document, each.attempt)
    return answer


async def _run(
    ls: Session,
    params: types.ExecuteCommandParams,
    document: Document,
    work: Callable[[Run, ProgressSink], Awaitable[tuple[Any, str]]],
) -> Any:
    """Do the work as the document's run, with progress that the user may cancel."""
    progress: WorkDone | None = None
    outcome = "Stopped"

    def show(step: Progress) -> None:
        if progress is not None:
            progress.show(step)
        ls.status.step(step)

    try:
        with ls.runs.begin(document.uri) as run:
            progress = await WorkDone.begin(ls, params.work_done_token, "llmstep", lambda: run.cancel(STOPPED))
            result, outcome = await work(run, show)
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
        notify(ls, document.uri)
        ls.refresh_hints()
