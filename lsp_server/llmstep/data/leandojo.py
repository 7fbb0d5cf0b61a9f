"""Pairs from the JSON files of LeanDojo Benchmark 4 (https://leandojo.org).

Each file is a list of theorems with their traced tactics. The benchmark has no text of its files and does not say where
a tactic stands; both are looked up in the repository that was traced, where that is at hand.
"""

from __future__ import annotations

import json
from pathlib import Path

import attrs

from llmstep.data.pair import Found, Pair, Part
from llmstep.errors import RequestError
from llmstep.lean.commands import find_commands
from llmstep.lean.declaration import find_declaration
from llmstep.lean.layout import Layout
from llmstep.lean.text import mask
from llmstep.wire.reading import BODIES

PARTS: dict[str, Part] = {"train": "train", "val": "valid", "valid": "valid", "test": "test"}
"""Parts by the name of their file; the benchmark's authors held `val` and `test` out."""


@attrs.frozen
class _Traced:
    tactic: str
    """Plain: the marks of `annotated_tactic` are no Lean."""
    state_before: str


@attrs.frozen
class _Theorem:
    full_name: str
    traced_tactics: tuple[_Traced, ...]
    file_path: str = ""
    start: tuple[int, ...] = ()
    """Line and column of its first character, from 1."""


def benchmark_files(folder: Path) -> list[Path]:
    """The files of the benchmark that a folder holds."""
    return [file for name in PARTS if (file := folder / f"{name}.json").is_file()]


def leandojo_pairs(file: Path, max_length: int, repository: Path | None = None) -> Found:
    """The pairs of one file.

    Args:
        repository: Folder of the repository that was traced: where it shows the traced steps, pairs get what stands
            before them.

    Raises:
        RequestError: The file cannot be read or is not of this form; the theorem is named.
    """
    found = Found()
    part = PARTS.get(file.stem)
    theorems = _theorems(file)
    texts: dict[str, tuple[str, str]] = {}
    if repository:
        theorems.sort(key=lambda each: each.file_path)  # the commands of a text are known while it is the same
    for theorem in theorems:
        text, steps = _steps(theorem, repository, texts) if repository else ("", {})
        tactics = [" ".join(each.tactic.split()) for each in theorem.traced_tactics]
        # A tactic stands where the theorem has a step of the same text; those with one text are taken in their order
        # where there are as many of them as were traced.
        places = {tactic: iter(at) for tactic, at in steps.items() if len(at) == tactics.count(tactic)}
        for traced, tactic in zip(theorem.traced_tactics, tactics, strict=True):
            at = next(places[tactic]) if tactic in places else 0
            pair = Pair(traced.state_before.strip(), traced.tactic.strip(), theorem.full_name, part, file=text, at=at)
            found.add(pair, max_length)
    return found


def _steps(theorem: _Theorem, repository: Path, texts: dict[str, tuple[str, str]]) -> tuple[str, dict[str, list[int]]]:
    """The text of a theorem's file, and the ascending offsets of its steps by their text with single blanks.

    Both are empty where the file is not there, or another text stands at that place of it.

    Args:
        texts: Texts and masked texts by path, of the files that were read.
    """
    path = theorem.file_path
    if path not in texts:
        try:
            read = (repository / path).read_bytes().decode("utf-8").replace("\r\n", "\n") if path else ""
        except (OSError, UnicodeDecodeError):
            read = ""
        texts[path] = read, mask(read)
    text, masked = texts[path]
    line = theorem.start[0] if theorem.start else 0
    lines = text.split("\n", line - 1) if line > 0 else []
    if len(lines) < line or not lines:
        return "", {}
    begin = len(text) - len(lines[-1])
    command = next((each for each in find_commands(masked) if each.end > begin), None)
    declaration = find_declaration(masked, command.end) if command else None
    if declaration is None or declaration.name != theorem.full_name:
        return "", {}
    ends = {item.start: item.end for block in Layout(masked, declaration).blocks for item in block.items}
    found: dict[str, list[int]] = {}
    for start in sorted(ends):
        found.setdefault(" ".join(text[start : ends[start]].split()), []).append(start)
    return text, found


def _theorems(file: Path) -> list[_Theorem]:
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}.", hint="Check the path.") from error
    except ValueError as error:
        raise RequestError(f"{file} is no JSON: {error}.", hint="Download the benchmark again.") from error
    if not isinstance(raw, list):
        raise RequestError(f"{file} holds no list of theorems.", hint="Give train.json, val.json or test.json.")

    def wrong(*_: object) -> RequestError:
        return RequestError(
            f"Theorem {len(theorems) + 1} of {file} is not as LeanDojo writes it.",
            hint="It needs full_name and traced_tactics with tactic and state_before.",
        )

    theorems: list[_Theorem] = []
    for each in raw:
        theorems.append(BODIES.read(_Theorem, each, wrong))
    return theorems
