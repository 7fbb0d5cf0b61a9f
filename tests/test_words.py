"""No sentence that a user meets has one of the phrases that readers did not understand."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
BANNED = (
    r"no business of",
    r"\b[Nn]obody (waits|knows|sees|hears)",
    r"[Ii]t is not said",
    r"did not come\b",
    r"\bunasked\b",
    r"\bbelieves\b",
    r"which no step may",
    r"none of others",
    r"\b(options|requests|nothing) of yours\b",
    r"\bby now\b",
    r"without what it works on",
    r"what was there of it",
    r"with what cannot be",
    r"\bMend\b",
    r"the time is over",
    r"What came is",
    r"goes on behind its end",
)
_PHRASE = re.compile("|".join(BANNED))
_LITERAL = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|`(?:[^`\\]|\\.)*`")


def in_python(file: Path) -> Iterator[str]:
    """The texts of a module, without its docstrings; those of a command are its help."""
    tree = ast.parse(file.read_text("utf-8"))
    silent: set[int] = set()
    for each in ast.walk(tree):
        body = getattr(each, "body", None)
        if isinstance(body, list) and not (file.parent.name == "cli" and isinstance(each, ast.FunctionDef)):
            silent |= {id(node.value) for node in body if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value


def in_typescript(file: Path) -> Iterator[str]:
    """The literals of a file, without comments."""
    text = re.sub(r"/\*.*?\*/|^\s*//.*$", "", file.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    yield from _LITERAL.findall(text)


def in_json(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    else:
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from in_json(each)


def sentences() -> Iterator[tuple[Path, str]]:
    for file in sorted((ROOT / "lsp_server" / "llmstep").rglob("*.py")):
        yield from ((file, text) for text in in_python(file))
    extension = ROOT / "vscode-extension"
    for file in sorted((extension / "src").rglob("*.ts")):
        if "test" not in file.parts:
            yield from ((file, text) for text in in_typescript(file))
    package = extension / "package.json"
    yield from ((package, text) for text in in_json(json.loads(package.read_text("utf-8"))))
    pages = [ROOT / "README.md", extension / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for file in pages:
        yield file, file.read_text("utf-8")
    changes = ROOT / "CHANGELOG.md"
    yield changes, changes.read_text("utf-8").split("\n## [")[1]
    for file in sorted((ROOT / "lean").rglob("*.lean")):
        yield from ((file, text) for text in re.findall(r"\"(?:[^\"\\]|\\.)*\"", file.read_text("utf-8")))


def test_no_sentence_has_a_phrase_that_readers_did_not_understand() -> None:
    found = [
        f"{file.relative_to(ROOT)}: …{text[max(0, match.start() - 40) : match.end() + 40]}…"
        for file, text in sentences()
        for match in _PHRASE.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("file", "text"),
    [("x.py", "def f() -> None:\n    raise E(f'{x} did not come')\n"), ("x.ts", "show(`It is not said ${where}.`);\n")],
)
def test_phrases_are_found_where_they_are(file: str, text: str, tmp_path: Path) -> None:
    here = tmp_path / file
    here.write_text(text, "utf-8")
    read = in_python if file.endswith(".py") else in_typescript
    assert any(_PHRASE.search(each) for each in read(here))
