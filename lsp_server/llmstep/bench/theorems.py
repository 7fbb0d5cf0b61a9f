"""Theorems to prove, one JSON record a line.

A record gives a statement, `{"name", "statement", "header"?}`, or a place in a file of the project,
`{"name"?, "file", "line", "column"?}`. Other keys are kept for whoever reads the records and mean nothing here.

A statement is `(p : Prop) (h : p) : p`, or a whole declaration, `theorem foo (p : Prop) (h : p) : p`, with or without
`:= by` or `:= by sorry` at its end. `formal_statement`, as public sets call it, is the same as `statement`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from lsprotocol.types import Position

from llmstep.errors import RequestError
from llmstep.lean.text import position_at

SCRATCH = "LlmstepBench.lean"
"""Name, in the project's folder, of the document that statements are put into; no such file is made."""

_DECLARATION = re.compile(
    r"(?:@\[[^\]]*\]\s*|(?:private|protected|noncomputable|nonrec)\s+)*(?:theorem|lemma|example)\b"
)
_END = re.compile(r"\s*(?::=\s*(?:by\b\s*)?(?:sorry\s*)?)?\Z")


@attrs.frozen
class Theorem:
    """A theorem without a proof, in its file."""

    name: str
    uri: str
    text: str
    position: Position
    """Where the proof goes."""


def read_theorems(file: Path, project: Path, header: str = "") -> list[Theorem]:
    """The theorems of a JSONL file.

    Args:
        file: One record a line; blank lines do not count.
        project: Folder of the Lean project.
        header: What stands above statements whose record has no `header`, imports for example.

    Raises:
        RequestError: The file cannot be read, or a line is no such record.
    """
    theorems: dict[str, Theorem] = {}
    for number, line in enumerate(_read(file).splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{file.name}:{number}"
        theorem = _theorem(_record(line, where), where, project, header)
        if theorem.name in theorems:
            raise RequestError(f"{where} has the name {theorem.name} again.", hint="Give each theorem its own name.")
        theorems[theorem.name] = theorem
    if not theorems:
        raise RequestError(f"{file} has no theorems.", hint='Give one {"name", "statement"} a line.')
    return list(theorems.values())


def shard_of(theorems: Sequence[Theorem], shard: str) -> list[Theorem]:
    """The part `i/n` of the theorems: the i-th, the (i+n)-th and so on.

    Raises:
        RequestError: It is not of this form, or i is not from 1 to n.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", shard.strip())
    index, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= index <= count:
        raise RequestError(f"There is no shard {shard!r}.", hint="Give 1/4, 2/4, 3/4 or 4/4 for four machines.")
    return list(theorems[index - 1 :: count])


def _theorem(record: Mapping[str, Any], where: str, project: Path, header: str) -> Theorem:
    if "file" in record:
        return _placed(record, where, project)
    statement = _text(record, "statement" if "statement" in record else "formal_statement", where)
    name = _text(record, "name", where)
    above = record.get("header", header)
    if not isinstance(above, str):
        raise RequestError(f"The header of {where} is no text.", hint="Give the lines above the theorem.")
    if _DECLARATION.match(statement.strip()):
        declaration = statement.strip()
    else:
        declaration = f"theorem {_lean_name(name)} {statement.strip()}"
    before = f"{above.rstrip()}\n\n" if above.strip() else ""
    before += f"{_END.sub('', declaration)} := by\n  "
    return Theorem(name, (project / SCRATCH).absolute().as_uri(), f"{before}sorry\n", position_at(before, len(before)))


def _placed(record: Mapping[str, Any], where: str, project: Path) -> Theorem:
    path = (project / _text(record, "file", where)).absolute()
    line, column = record.get("line"), record.get("column", 1)
    if type(line) is not int or type(column) is not int or line < 1 or column < 1:
        raise RequestError(f"The place in {where} is no place.", hint="Give line and column as numbers from 1.")
    name = record.get("name") or f"{record['file']}:{line}:{column}"
    return Theorem(str(name), path.as_uri(), _read(path), Position(line - 1, column - 1))


def _lean_name(name: str) -> str:
    return name if re.fullmatch(r"[^\W\d][\w'.]*", name) else f"«{name}»"


def _record(line: str, where: str) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise RequestError(f"{where} is no JSON: {error}.", hint="Write one record a line.") from None
    if not isinstance(record, dict):
        raise RequestError(f"{where} is no record.", hint='Write one {"name", "statement"} a line.')
    return record


def _text(record: Mapping[str, Any], key: str, where: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value.strip():
        raise RequestError(f"{where} has no {key}.", hint='Give {"name", "statement"} or {"file", "line"}.')
    return value


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except OSError as error:
        raise RequestError(f"The file {file} cannot be read: {error.strerror}.", hint="Give another file.") from None
    except UnicodeDecodeError as error:
        raise RequestError(f"{file} is not UTF-8 (byte {error.start}).", hint="Save it as UTF-8.") from None
