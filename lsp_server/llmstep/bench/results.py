"""Results of benchmarks as lines of files: written as they come, read again, and put together from many machines."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from llmstep.errors import GenerationError, LeanCrashedError, LeanTimeoutError, NoGoalError, RequestError
from llmstep.json_lines import read_lines

if TYPE_CHECKING:
    from llmstep.bench.theorems import Theorem

_OF_THE_THEOREM = (NoGoalError, LeanTimeoutError, LeanCrashedError, GenerationError)
"""Errors that say something about one theorem, after which the next one is tried."""


@attrs.frozen(kw_only=True)
class Line:
    """What came of one theorem or goal."""

    name: str = attrs.field(kw_only=False)
    outcome: str = attrs.field(kw_only=False)
    method: dict[str, Any]
    """How it was tried; all lines of a file have the same."""
    seconds: float = 0.0
    model: str | None = None
    message: str = ""
    """With `error`, what it was."""

    def line(self) -> str:
        return json.dumps(attrs.asdict(self), ensure_ascii=False) + "\n"


L = TypeVar("L", bound=Line)


async def run(
    kind: type[L],
    theorems: Sequence[Theorem],
    attempt: Callable[[Theorem], Awaitable[L]],
    method: dict[str, Any],
    out: Path,
    on_result: Callable[[L, bool], None] = lambda _, __: None,
) -> list[L]:
    """Try each theorem once; those with a result in `out` are not tried again, unless it is an error.

    Args:
        attempt: Tries one.
        method: How, for the results.
        out: JSONL file for the results, written as they come.
        on_result: Called with each result, and whether it was there already.

    Raises:
        RequestError: `out` belongs to another run.
        LlmstepError: Lean or the model cannot be used at all.
    """
    known = known_results(out, method, kind)
    results: list[L] = []
    for theorem in theorems:
        result = known.get(theorem.name)
        old = result is not None and result.outcome != "error"
        if result is None or not old:
            try:
                result = await attempt(theorem)
            except _OF_THE_THEOREM as error:
                result = kind(theorem.name, "error", method=method, message=str(error))
            with out.open("a", encoding="utf-8") as file:
                file.write(result.line())
        results.append(result)
        on_result(result, old)
    return results


def known_results(out: Path, method: dict[str, Any], kind: type[L]) -> dict[str, L]:
    """What an earlier run has left, by name. A last line without its end is cut off."""
    if not out.exists():
        return {}
    content = out.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        out.write_bytes(whole)
    return _by_name(out, kind, method, "Give the same options, or another file for the results.")


def merge(files: Sequence[Path], kind_of: Callable[[dict[str, Any]], type[L]]) -> list[L]:
    """The results of several runs with one method, each name once; a later success takes the place of an error.

    Args:
        kind_of: Gives the class of the lines, by their method.

    Raises:
        RequestError: A file cannot be read, holds other lines, or contradicts another one.
    """
    merged: dict[str, tuple[L, Path]] = {}
    method: dict[str, Any] | None = None
    for file in files:
        if method is None:
            method = next((line.method for _, line in read_lines(file, Line, "result", _FORM)), None)
        results = _by_name(file, kind_of(method), method, "Merge the files of one benchmark.") if method else {}
        for name, result in results.items():
            known, place = merged.get(name, (None, file))
            if known is not None and "error" not in (known.outcome, result.outcome) and known != result:
                raise RequestError(
                    f"{name} stands in {place} and in {file}, with different results.",
                    hint="Give each shard's file once, of one run.",
                )
            if known is None or known.outcome == "error":
                merged[name] = result, file
    if not merged:
        raise RequestError("There are no results in these files.", hint="Give what `llmstep bench` wrote.")
    return [result for result, _ in merged.values()]


_FORM = '{"name": ..., "outcome": ..., "method": ...}'


def _by_name(file: Path, kind: type[L], method: dict[str, Any], hint: str) -> dict[str, L]:
    """The last result of each name.

    Raises:
        RequestError: A line is no result, or one of another method.
    """
    results = {line.name: line for _, line in read_lines(file, kind, "result", _FORM)}
    for result in results.values():
        names = [name for name in {**result.method, **method} if result.method.get(name) != method.get(name)]
        if names:
            apart = ", ".join(f"{name} {result.method.get(name)} there, {method.get(name)} here" for name in names)
            raise RequestError(f"{file} has results of another method: {apart}.", hint=hint)
    return results
