"""Who may import whom: a module imports from its own floor or from below, and torch only where models live."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "lsp_server" / "llmstep"
FLOORS = {
    "types": 1.0,
    "errors": 1.0,
    "settings": 1.0,
    "setting_values": 1.0,
    "address": 1.0,
    "printable": 1.0,
    "aside": 1.0,
    "whole_file": 1.0,
    "strict_json": 1.0,
    "catalog": 1.0,
    "decoder": 1.0,
    "lean": 2.0,
    "engine": 2.0,
    "training": 2.0,
    "search": 2.5,
    "bench": 2.5,
    "data": 2.5,
    "premises": 2.5,
    "automation": 2.5,
    "gathering": 3.0,
    "memory": 3.0,
    "assistant": 3.0,
    "doctor": 4.0,
    "http": 4.0,
    "lsp": 4.0,
    "cli": 4.0,
    "__main__": 4.0,
    "__init__": 1.0,
}
"""The rooms of docs/architecture.md."""
HEAVY = {"torch", "transformers", "accelerate", "safetensors", "tokenizers"}
LATE = {"decoder", "engine", "training", "bench", "premises"}
"""Rooms whose modules may import those at the top; the others only inside a function, or for a type."""


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(file: Path) -> list[tuple[str, bool]]:
    """Modules that a file imports, and whether at its top level."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.module, id(node) in top))
    return found


def test_every_room_has_a_floor() -> None:
    assert {room(file) for file in PACKAGE.rglob("*.py")} == set(FLOORS)


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_modules_import_from_their_own_floor_or_below(name: str) -> None:
    wrong = []
    for file in (file for file in PACKAGE.rglob("*.py") if room(file) == name):
        for module, top in imports(file):
            first, _, rest = module.partition(".")
            above = first == "llmstep" and rest and FLOORS[rest.partition(".")[0]] > FLOORS[name]
            if above or (first in HEAVY and top and name not in LATE):
                wrong.append((str(file.relative_to(PACKAGE)), module))
    assert wrong == []


def test_the_package_imports_no_program_beside_it() -> None:
    beside = {folder.name for folder in PACKAGE.parents[1].iterdir() if (folder / "__init__.py").exists()}
    assert {"benchmarks", "starter"} <= beside
    named = {module.partition(".")[0] for file in PACKAGE.rglob("*.py") for module, _ in imports(file)}
    assert named & beside == set()


@pytest.mark.parametrize("module", ["llmstep.lsp.server", "llmstep.cli", "llmstep.http.app", "llmstep.engine.engine"])
def test_the_faces_start_without_torch(module: str) -> None:
    code = f"import sys, {module}; print(sorted({HEAVY!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
