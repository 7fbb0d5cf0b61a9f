"""Writes docs/structure.md: lines by room before and after the rebuild, the floors, and how other projects are built.

`python scripts/structure.py [NAME FOLDER TESTS]...` also prints a row of the comparison for the source of another
project, to be put into `OTHERS`. What the rooms had before is read from git, so that it needs the whole history.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from test_floors import FLOORS, circles, graph  # noqa: E402 - from the tests, which hold the floors

if TYPE_CHECKING:
    from collections.abc import Iterable

BEFORE = "15afecf"
"""The last commit before the rebuild."""
WHEEL = "lsp_server/llmstep"
PAGE = ROOT / "docs" / "structure.md"
OTHERS = (
    "| esbonio 2.1.0 (language server) | 62 | 12,555 | 174 | 592 | 0.7 | server, features, agent process |",
    "| nano-vllm bb823b3 (engine) | 21 | 1,450 | 50 | 257 | none | engine, layers, models |",
    "| ruff-vscode c536371 (extension) | 15 | 2,684 | 101 | 779 | - | extension, common |",
)
"""Counted in their sources, the last two at these commits."""


def lines(files: Iterable[Path]) -> list[int]:
    return sorted(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def row(name: str, folder: Path, tests: Path, pattern: str, layers: str) -> str:
    """A row of the comparison."""
    found = lines(folder.rglob(pattern))
    share = sum(lines(tests.rglob("*.py"))) / sum(found)
    median = round(statistics.median(found))
    return f"| {name} | {len(found)} | {sum(found):,} | {median} | {found[-1]} | {share:.1f} | {layers} |"


def before() -> Counter[str]:
    """Lines of each room of the package before the rebuild."""
    listed = subprocess.run(["git", "ls-tree", "-r", "--name-only", BEFORE, WHEEL], cwd=ROOT, capture_output=True)
    rooms: Counter[str] = Counter()
    for name in filter(lambda each: each.endswith(".py"), listed.stdout.decode().split()):
        shown = subprocess.run(["git", "show", f"{BEFORE}:{name}"], cwd=ROOT, capture_output=True, check=True)
        rooms[_room(Path(name).relative_to(WHEEL))] += shown.stdout.count(b"\n")
    return rooms


def after() -> Counter[str]:
    rooms: Counter[str] = Counter()
    for file in (ROOT / WHEEL).rglob("*.py"):
        rooms[_room(file.relative_to(ROOT / WHEEL))] += sum(lines([file]))
    return rooms


def _room(file: Path) -> str:
    return f"{file.parts[0]}/" if len(file.parts) > 1 else "modules beside the rooms"


def picture() -> list[str]:
    """The floors as a graph: an arrow where a module of one floor imports from another, without those that follow."""
    rooms: dict[float, list[str]] = {}
    for name, floor in FLOORS.items():
        if not name.startswith("__"):
            rooms.setdefault(floor, []).append(name)
    arrows: dict[float, set[float]] = {floor: set() for floor in rooms}
    for module, imported in graph().items():
        for other in imported:
            here, there = (FLOORS[f"{each}.__init__".split(".")[1]] for each in (module, other))
            if here != there:
                arrows[here].add(there)
    reached = {floor: set().union(*(arrows[other] for other in arrows[floor])) for floor in rooms}
    names = {floor: f"f{number}" for number, floor in enumerate(sorted(rooms))}
    boxes = [
        f'  {names[floor]}["{floor:g}: {", ".join(sorted(rooms[floor]))}"]' for floor in sorted(rooms, reverse=True)
    ]
    lead = [
        f"  {names[a]} --> {names[b]}" for a in sorted(arrows, reverse=True) for b in sorted(arrows[a] - reached[a])
    ]
    return ["```mermaid", "flowchart TB", *boxes, *lead, "```"]


def page() -> str:
    old, new = before(), after()
    beside = {
        f"{name}/ (beside the package)": sum(lines((ROOT / name).rglob("*.py"))) for name in ("benchmarks", "starter")
    }
    rooms = [
        f"| `{name}` | {old[name] or '-'} | {new[name] or '-'} |"
        for name in sorted({*old, *new}, key=lambda n: -new[n])
    ]
    back = [(a, b) for a, found in graph().items() for b in found if _floor(a) < _floor(b)]
    own = row("llmstep, the package", ROOT / WHEEL, ROOT / "tests", "*.py", f"{len(set(FLOORS.values()))} floors")
    client = row("llmstep, the extension", ROOT / "vscode-extension/src", ROOT / "tests/vscode", "*.ts", "see the map")
    return "\n".join(
        [
            "# Structure in numbers",
            "",
            "`python scripts/structure.py` makes this page. Lines are those of files, blank ones included."
            f" Before is {BEFORE},"
            " with the programs in it that stand beside the package now; after has what was added since as well.",
            "",
            "| room of the package | before | after |",
            "| --- | ---: | ---: |",
            *rooms,
            f"| **together** | **{sum(old.values()):,}** | **{sum(new.values()):,}** |",
            *(f"| {name} | - | {count} |" for name, count in beside.items()),
            "",
            f"Imports to a higher floor: {len(back)}. Circles of modules: {len(circles(graph()))}. "
            "([What the rooms are](architecture.md).)",
            "",
            *picture(),
            "",
            "| project | files | lines | median file | largest file | lines of tests a line | layers |",
            "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
            own,
            client,
            *OTHERS,
            "",
        ]
    )


def _floor(module: str) -> float:
    return FLOORS[f"{module}.__init__".split(".")[1]]


if __name__ == "__main__":
    for name, folder, tests in zip(*[iter(sys.argv[1:])] * 3, strict=True):
        print(row(name, Path(folder), Path(tests), "*.py", "?"))
    PAGE.write_text(page(), encoding="utf-8")
