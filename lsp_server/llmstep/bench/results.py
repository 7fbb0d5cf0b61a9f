"""Results of benchmarks as lines of files: written as they come, read again, and put together from many machines."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from llmstep.errors import GenerationError, LeanCrashedError, LeanTimeoutError, NoGoalError, RequestError

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
    known = read_lines(out, method, kind)
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


def read_lines(out: Path, method: dict[str, Any], kind: type[L]) -> dict[str, L]:
    """What an earlier run has left, by name: the last line of each. A last line without its end is cut off.

    Raises:
        RequestError: A line is no result, or one of a run with another method.
    """
    if not out.exists():
        return {}
    content = out.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        out.write_bytes(whole)
    results = {result.name: result for result in _parsed(out, whole, kind)}
    for result in results.values():
        if result.method != method:
            raise RequestError(
                f"{out} has results of another method: {difference(result.method, method)}.",
                hint="Give the same options, or another file for the results.",
            )
    return results


def merge(files: Sequence[Path], kinds: Sequence[type[L]]) -> list[L]:
    """The results of several runs with one method, each name once; a later success takes the place of an error.

    Args:
        kinds: The classes that the lines may have; all have the same one.

    Raises:
        RequestError: A file cannot be read, holds other lines, or contradicts another one.
    """
    merged: dict[str, L] = {}
    places: dict[str, Path] = {}
    kind: type[L] | None = None
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise RequestError(
                f"The file {file} cannot be read: {error.strerror}.", hint="Give another file."
            ) from None
        kind = kind or _kind(file, content, kinds)
        last = {result.name: result for result in _parsed(file, content, kind)}
        for name, result in last.items():
            first = next(iter(merged.values()), result)
            if result.method != first.method:
                raise RequestError(
                    f"{file} has results of another method: {difference(first.method, result.method)}.",
                    hint="Merge the files of one benchmark.",
                )
            known = merged.get(name)
            if known is not None and "error" not in (known.outcome, result.outcome) and known != result:
                raise RequestError(
                    f"{name} stands in {places[name]} and in {file}, with different results.",
                    hint="Give each shard's file once, of one run.",
                )
            if known is None or known.outcome == "error":
                merged[name], places[name] = result, file
    if not merged:
        raise RequestError("There are no results in these files.", hint="Give what `llmstep bench` wrote.")
    return list(merged.values())


def _kind(file: Path, content: bytes, kinds: Sequence[type[L]]) -> type[L]:
    for kind in kinds:
        try:
            if next(iter(_parsed(file, content.split(b"\n")[0], kind)), None) is not None:
                return kind
        except RequestError:
            continue
    raise RequestError(f"{file}:1 is no result.", hint="Give what `llmstep bench search` or `quality` wrote.")


def _parsed(file: Path, content: bytes, kind: type[L]) -> list[L]:
    results = []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        try:
            results.append(kind(**json.loads(line)))
        except (ValueError, TypeError):
            raise RequestError(f"{file}:{number} is no result.", hint="Give another file for the results.") from None
    return results


def difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    """What two methods do not have in common, for a sentence."""
    names = [name for name in (*old, *new) if old.get(name) != new.get(name)]
    return ", ".join(f"{name} {old.get(name)} there, {new.get(name)} here" for name in dict.fromkeys(names))
