"""Theorems to prove, one JSON record a line.

A record gives a statement, `{"name", "statement", "header"?}`, or a place in a file of the project,
`{"name"?, "file", "line", "column"?}`. Other keys are kept for whoever reads the records and mean nothing here.

A statement is `(p : Prop) (h : p) : p`, or a whole declaration, `theorem foo (p : Prop) (h : p) : p`, with or without
`:= by` or `:= by sorry` at its end. `formal_statement`, as public sets call it, is the same as `statement`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import attrs
from lsprotocol.types import Position

from llmstep.errors import RequestError
from llmstep.json_lines import read_lines
from llmstep.lean.file_text import read_text
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


@attrs.frozen
class _Record:
    name: str = ""
    statement: str = ""
    formal_statement: str = ""
    header: str | None = None
    file: str = ""
    line: int = 0
    column: int = 1


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
    for number, record in read_lines(file, _Record, "theorem", _FORMS):
        theorem = _placed(record, project) if record.file else _stated(record, project, header)
        if theorem is None:
            raise RequestError(
                f"Line {number} of {file} names neither a statement nor a place.",
                hint=f"Each line has the form {_FORMS}.",
            )
        if theorem.name in theorems:
            raise RequestError(
                f"Line {number} of {file} has the name {theorem.name} again.", hint="Give each theorem its own name."
            )
        theorems[theorem.name] = theorem
    if not theorems:
        raise RequestError(f"{file} has no theorems.", hint='Give one {"name", "statement"} a line.')
    return list(theorems.values())


_FORMS = '{"name": "...", "statement": "..."} or {"file": "...", "line": 1, "column": 1}'


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


def _stated(record: _Record, project: Path, header: str) -> Theorem | None:
    statement = (record.statement or record.formal_statement).strip()
    if not record.name.strip() or not statement:
        return None
    if not _DECLARATION.match(statement):
        name = record.name if re.fullmatch(r"[^\W\d][\w'.]*", record.name) else f"«{record.name}»"
        statement = f"theorem {name} {statement}"
    above = header if record.header is None else record.header
    before = f"{above.rstrip()}\n\n" if above.strip() else ""
    before += f"{_END.sub('', statement)} := by\n  "
    uri = (project / SCRATCH).absolute().as_uri()
    return Theorem(record.name, uri, f"{before}sorry\n", position_at(before, len(before)))


def _placed(record: _Record, project: Path) -> Theorem | None:
    if record.line < 1 or record.column < 1:
        return None
    path = (project / record.file).absolute()
    name = record.name or f"{record.file}:{record.line}:{record.column}"
    return Theorem(name, path.as_uri(), read_text(path), Position(record.line - 1, record.column - 1))
