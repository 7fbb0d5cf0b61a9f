"""The premises of a library: from LeanDojo's `corpus.jsonl`, or from the Lean files of a project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import attrs

from llmstep.data.project import lean_files
from llmstep.errors import RequestError
from llmstep.json_lines import read_lines
from llmstep.lean.commands import PROVING, find_commands
from llmstep.lean.declaration import find_declaration
from llmstep.lean.text import mask
from llmstep.lean.tokens import body_of
from llmstep.types import Premise

_IMPORT: Final = re.compile(r"^(?:public\s+|private\s+|meta\s+)*import\s+(?:all\s+)?([\w.«»']+)", re.MULTILINE)


@attrs.frozen
class CorpusFile:
    """A file of a library."""

    path: str
    """Below the library's folder, with slashes."""
    imports: tuple[str, ...]
    """Paths of files that it imports, as far as they are in the corpus."""
    premises: tuple[Premise, ...]
    lines: tuple[int, ...]
    """Last line of each premise, from 1."""


def read_corpus(source: Path) -> list[CorpusFile]:
    """The files of `corpus.jsonl`, or of a project.

    Raises:
        RequestError: There is no such source, it is of neither kind, or it has no premises.
    """
    if not source.exists():
        raise RequestError(
            f"There is no {source}.", hint="Give LeanDojo's corpus.jsonl or the folder of a Lean project."
        )
    files = _of_jsonl(source) if source.suffix == ".jsonl" else _of_project(source)
    if not any(file.premises for file in files):
        raise RequestError(
            f"There are no premises in {source}.", hint="Give LeanDojo's corpus.jsonl or a Lean project."
        )
    return files


def imported_modules(text: str) -> tuple[str, ...]:
    """The modules that a Lean file imports."""
    return tuple(_IMPORT.findall(mask(text)))


def module_path(module: str) -> str:
    """`Mathlib/Logic/Basic.lean` for `Mathlib.Logic.Basic`."""
    return module.replace("«", "").replace("»", "").replace(".", "/") + ".lean"


@attrs.frozen
class _Declaration:
    end: tuple[int, ...]
    """Line and column, from 1."""
    full_name: str = ""
    code: str = ""

    @property
    def is_sound(self) -> bool:
        """What ReProver's authors keep: it has a name and code, is not of a `mutual` block, nor of broken syntax."""
        name = self.full_name
        return bool(self.end and name and self.code and "user__.n" not in name and (name[0] + name[-1]) != "[]")


@attrs.frozen
class _File:
    path: str
    imports: tuple[str, ...]
    premises: tuple[_Declaration, ...]


def _of_jsonl(source: Path) -> list[CorpusFile]:
    form = '{"path", "imports", "premises": [{"full_name", "code", "end"}]}'
    files = []
    for _, file in read_lines(source, _File, "file of a corpus", form):
        kept = [each for each in file.premises if each.is_sound]
        premises = tuple(Premise(each.full_name, each.code) for each in kept)
        files.append(CorpusFile(file.path, file.imports, premises, tuple(each.end[0] for each in kept)))
    return files


def _of_project(source: Path) -> list[CorpusFile]:
    found = lean_files(source)
    root = source if source.is_dir() else source.parent
    paths = {file.relative_to(root).as_posix() for file in found}
    files = []
    for file in found:
        text = file.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
        imports = tuple(path for path in map(module_path, imported_modules(text)) if path in paths)
        files.append(CorpusFile(file.relative_to(root).as_posix(), imports, *_declarations(text)))
    return files


def _declarations(text: str) -> tuple[tuple[Premise, ...], tuple[int, ...]]:
    """The declarations with a name and their last lines: of theorems the statements, of definitions everything."""
    masked = mask(text)
    premises, lines = [], []
    for command in find_commands(masked):
        declaration = find_declaration(masked, command.end) if command.keyword in PROVING else None
        if declaration is None or not declaration.name:
            continue
        end = declaration.start + len(masked[declaration.start : declaration.end].rstrip())
        lines.append(text.count("\n", 0, end) + 1)
        if command.keyword in {"theorem", "lemma"}:
            body = body_of(masked, declaration.body, declaration.end)
            end = body.start if body else end
        premises.append(Premise(declaration.name, text[declaration.start : end].rstrip()))
    return tuple(premises), tuple(lines)
