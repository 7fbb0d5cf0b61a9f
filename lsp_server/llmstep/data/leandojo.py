"""Pairs from the JSON files of LeanDojo Benchmark 4 (https://leandojo.org).

Each file is a list of theorems with their traced tactics.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llmstep.data.pair import Found, Pair, Part
from llmstep.data.repository import Repository, Steps
from llmstep.errors import RequestError

PARTS: dict[str, Part] = {"train": "train", "val": "valid", "valid": "valid", "test": "test"}
"""Parts by the name of their file; the benchmark's authors held `val` and `test` out."""


def benchmark_files(folder: Path) -> list[Path]:
    """The files of the benchmark that a folder holds."""
    return [file for name in PARTS if (file := folder / f"{name}.json").is_file()]


def leandojo_pairs(file: Path, max_length: int, repository: Path | None = None) -> Found:
    """The pairs of one file. The plain `tactic` is taken: the marks of `annotated_tactic` are no Lean.

    Args:
        repository: Folder of the repository that was traced. The benchmark has no text of its files: where the
            repository shows the traced steps, pairs get what stands before them.

    Raises:
        RequestError: The file cannot be read or is not of this form; the theorem is named.
    """
    found = Found()
    part = PARTS.get(file.stem)
    texts = Repository(repository) if repository else None
    theorems = list(enumerate(_theorems(file), start=1))
    if texts:
        theorems.sort(key=lambda each: _path(each[1]))  # a file is looked through once
    for number, theorem in theorems:
        try:
            name = str(theorem["full_name"])
            traced = [(each["state_before"], each["tactic"]) for each in theorem["traced_tactics"]]
            if not all(isinstance(text, str) for step in traced for text in step):
                raise TypeError
        except (KeyError, TypeError) as error:
            raise RequestError(
                f"Theorem {number} of {file} is not as LeanDojo writes it.",
                hint="It needs full_name and traced_tactics with tactic and state_before.",
            ) from error
        steps = texts.steps(_path(theorem), name, theorem.get("start")) if texts else None
        places = _places(steps, [tactic for _, tactic in traced])
        for (goal, tactic), place in zip(traced, places, strict=True):
            text = "" if steps is None or place is None else steps.text
            found.add(Pair(goal.strip(), tactic.strip(), name, part, file=text, at=place or 0), max_length)
    return found


def _path(theorem: Any) -> str:
    """Path of a theorem's file in its repository; empty where the record does not say."""
    path = theorem.get("file_path") if isinstance(theorem, dict) else None
    return path if isinstance(path, str) else ""


def _places(steps: Steps | None, tactics: list[str]) -> list[int | None]:
    """Offsets of the traced tactics in their file, in order; None for those whose place is not certain.

    The benchmark does not say where a tactic stands. It stands where the theorem has a step of the same text; those
    with one text are taken in their order where there are as many of them as were traced.
    """
    traced = [" ".join(tactic.split()) for tactic in tactics]
    places = steps.places() if steps else {}
    known = {tactic: iter(at) for tactic, at in places.items() if len(at) == traced.count(tactic)}
    return [next(known[tactic]) if tactic in known else None for tactic in traced]


def _theorems(file: Path) -> list[dict[str, Any]]:
    try:
        theorems = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}.", hint="Check the path.") from error
    except ValueError as error:
        raise RequestError(f"{file} is no JSON: {error}.", hint="Download the benchmark again.") from error
    if not isinstance(theorems, list):
        raise RequestError(f"{file} holds no list of theorems.", hint="Give train.json, val.json or test.json.")
    return theorems
