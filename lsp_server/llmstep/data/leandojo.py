"""Pairs from the JSON files of LeanDojo Benchmark 4 (https://leandojo.org).

Each file is a list of theorems with their traced tactics.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmstep.data.pair import Found, Pair
from llmstep.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.data.pair import Part

PARTS: dict[str, Part] = {"train": "train", "val": "valid", "valid": "valid", "test": "test"}
"""Parts by the name of their file; the benchmark's authors held `val` and `test` out."""


def benchmark_files(folder: Path) -> list[Path]:
    """The files of the benchmark that a folder holds."""
    return [file for name in PARTS if (file := folder / f"{name}.json").is_file()]


def leandojo_pairs(file: Path, longest: int) -> Found:
    """The pairs of one file. The plain `tactic` is taken: the marks of `annotated_tactic` are no Lean.

    Raises:
        RequestError: The file cannot be read or is not of this form; the theorem is named.
    """
    found = Found()
    part = PARTS.get(file.stem)
    for number, theorem in enumerate(_theorems(file), start=1):
        try:
            name = str(theorem["full_name"])
            for traced in theorem["traced_tactics"]:
                goal, tactic = traced["state_before"], traced["tactic"]
                if not isinstance(goal, str) or not isinstance(tactic, str):
                    raise TypeError
                found.add(Pair(goal.strip(), tactic.strip(), name, part), longest)
        except (KeyError, TypeError) as error:
            raise RequestError(
                f"Theorem {number} of {file} is not as LeanDojo writes it.",
                hint="It needs full_name and traced_tactics with tactic and state_before.",
            ) from error
    return found


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
