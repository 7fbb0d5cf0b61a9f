"""Who may import whom: a module imports from its own floor or from below, and torch only where models live."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "lsp_server" / "llmstep"
FLOORS = {
    "types": 1.0,
    "errors": 1.0,
    "configuration": 1.0,
    "wire": 1.0,
    "settings": 1.0,
    "settings_store": 1.0,
    "setting_values": 1.0,
    "address": 1.0,
    "printable": 1.0,
    "aside": 1.0,
    "toml": 1.0,
    "whole_file": 1.0,
    "strict_json": 1.0,
    "json_lines": 1.0,
    "catalog": 1.0,
    "progress": 1.0,
    "cancel": 1.0,
    "hub": 1.5,
    "decoder": 1.0,
    "lean": 2.0,
    "engine": 2.0,
    "training": 2.0,
    "search": 2.5,
    "proofs": 2.5,
    "bench": 2.5,
    "data": 2.5,
    "premises": 2.5,
    "automation": 2.5,
    "ranking": 1.0,
    "memory": 3.0,
    "use_cases": 3.0,
    "app": 3.5,
    "doctor": 4.0,
    "http": 4.0,
    "lsp": 4.0,
    "mcp": 4.0,
    "cli": 4.0,
    "__main__": 4.0,
    "__init__": 1.0,
}
"""The rooms of docs/architecture.md."""
HEAVY = {"torch", "transformers", "accelerate", "safetensors", "tokenizers"}
_TS_IMPORT = re.compile(r"""from '(\.[^']*)'""")
MACHINERY = {
    "llmstep.engine.engine",
    "llmstep.engine.router",
    "llmstep.lean.apart",
    "llmstep.lean.checker",
    "llmstep.lean.workspace",
    "llmstep.premises.asked",
    "llmstep.search.expander",
}
"""What only the application and the rooms below it put together."""
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


def test_the_faces_put_nothing_together() -> None:
    """Engine, Lean, premises and searches are made in `app.py`; the faces ask the application."""
    wrong = []
    for face in ("lsp", "http", "cli", "mcp"):
        for file in (PACKAGE / face).rglob("*.py"):
            wrong += [(str(file.relative_to(PACKAGE)), module) for module in at_run_time(file) if module in MACHINERY]
    assert wrong == []


def test_no_module_imports_itself_by_a_detour() -> None:
    """Imports for types only count as well: two files that need each other are one idea in two places."""
    assert circles(graph()) == []


def test_no_file_of_the_extension_imports_itself_by_a_detour() -> None:
    source = PACKAGE.parents[1] / "vscode-extension" / "src"
    files = {file.resolve() for file in source.rglob("*.ts")}
    found: dict[str, set[str]] = {}
    for file in files:
        named = [(file.parent / name).resolve() for name in _TS_IMPORT.findall(file.read_text(encoding="utf-8"))]
        places = {place for name in named for place in (name.with_name(f"{name.name}.ts"), name / "index.ts")}
        found[str(file)] = {str(place) for place in places & files}
    assert len(found) > 30
    assert circles(found) == []


def test_no_module_has_more_than_300_lines() -> None:
    roots = [PACKAGE, *(PACKAGE.parents[1] / name for name in ("benchmarks", "starter"))]
    lengths = {
        file: len(file.read_text(encoding="utf-8").splitlines()) for root in roots for file in root.rglob("*.py")
    }
    assert {file.name: length for file, length in lengths.items() if length > 300} == {}


def at_run_time(file: Path) -> set[str]:
    """Modules that a file imports for more than types."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    return {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}


def graph() -> dict[str, set[str]]:
    """Each module of the package, and those of the package that it imports."""
    files = {_name(file): file for file in PACKAGE.rglob("*.py")}
    found: dict[str, set[str]] = {}
    for name, file in files.items():
        found[name] = set()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                below = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= below & files.keys() or {node.module} & files.keys()
        found[name].discard(name)
    return found


def _name(file: Path) -> str:
    return ".".join(("llmstep", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def circles(imported: dict[str, set[str]]) -> list[list[str]]:
    """The modules that reach each other, as groups, without those that are alone."""
    reached = {name: _reached(name, imported) for name in imported}
    groups = {frozenset(other for other in reached[name] if name in reached[other]) for name in imported}
    return sorted(sorted(group) for group in groups if group)


def _reached(start: str, imported: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    todo = [start]
    while todo:
        for name in imported[todo.pop()] - found:
            found.add(name)
            todo.append(name)
    return found


@pytest.mark.parametrize("module", ["llmstep.lsp.setup", "llmstep.cli", "llmstep.http.app", "llmstep.engine.engine"])
def test_the_faces_start_without_torch(module: str) -> None:
    code = f"import sys, {module}; print(sorted({HEAVY!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def patterns(file: Path) -> list[str]:
    """The regular expressions that a module gives to `re`, with `x` for their classes and for what is put in."""
    found = []
    for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and call.args and ast.unparse(call.func).startswith("re."):
            written = call.args[0].values if isinstance(call.args[0], ast.JoinedStr) else [call.args[0]]
            text = "".join(str(each.value) if isinstance(each, ast.Constant) else "x" for each in written)
            found.append(re.sub(r"\\.|\[\^?\]?[^\]]*\]", "x", text))
    return found


def test_every_regular_expression_is_one_that_python_3_10_reads() -> None:
    """Python 3.10 has neither possessive quantifiers nor atomic groups, and does not import a module with one."""
    newer = {
        f"{file}: {each}"
        for file in PACKAGE.rglob("*.py")
        for each in patterns(file)
        if re.search(r"[*+?}]\+|\(\?>", each)
    }
    assert newer == set()
