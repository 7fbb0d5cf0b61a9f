"""The files that the imports of a document were read from: whether they are still what Lean has in memory."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import attrs
import psutil

from llmstep.lean.header import imports_of
from llmstep.lean.project import packages_folder, packages_of

OLEAN: Final = ".olean"
LIBRARIES: Final = (".lake/build/lib/lean", ".lake/build/lib", "build/lib")
"""Where Lake puts compiled modules below a package, the newest layout first."""

_MAPPED: Final = re.compile(r"\S+ \S+ \S+ \S+ \d+ +(/.*\.olean)(?: \(deleted\))?$")

Stamp = tuple[int, int] | None
"""Time and size of a file; None where there is none."""


@attrs.frozen
class Imports:
    """The compiled modules below a document, and those of their sources that belong to its project."""

    stamps: dict[str, Stamp] = attrs.field(factory=dict)

    @classmethod
    def read(cls, pid: int | None, text: str, root: Path) -> Imports:
        """Those of an open document.

        Args:
            pid: Process that elaborates it; where the system shows which files it has mapped, that is the answer.
            text: Of the document; elsewhere its imports, and theirs as far as the project has the sources, are.
            root: Folder of its project.
        """
        compiled = list(_mapped(pid)) if pid is not None else []
        if not compiled:
            compiled = list(_reachable(text, root, [*_folders(pid, root), *library_folders(root)]))
        files = {*compiled, *(source for path in compiled if (source := _source(path, root)))}
        return cls({path: _stamp(path) for path in files})

    def changed(self) -> bool:
        """Whether one of the files is another one now, or gone. Looks at each file."""
        return any(_stamp(path) != stamp for path, stamp in self.stamps.items())

    def rest_on(self, path: Path) -> bool:
        """Whether a file, a source or what was compiled from it, is among them."""
        if str(path) in self.stamps:
            return True
        # A source below a folder of its own (`srcDir`): as many parts of its path as the module's name has.
        parts = path.with_suffix("").parts
        return any(parts[-len(module) :] == module for each in self.stamps if (module := _module(each)))


def library_folders(root: Path) -> list[Path]:
    """Where the compiled modules of a project and of its packages may be."""
    folder = packages_folder(root)
    fetched = sorted(folder.iterdir()) if folder.is_dir() else []
    owners = dict.fromkeys([root, *fetched, *packages_of(root).values()])
    return [owner / library for owner in owners for library in LIBRARIES]


def find_compiled(module: str, folders: Iterable[Path]) -> Path | None:
    """The compiled form of a module, in the first of the folders that has it."""
    name = module.replace(".", "/") + OLEAN
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _mapped(pid: int) -> Iterator[str]:
    if not sys.platform.startswith("linux"):
        return
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as maps:
            yield from {match[1] for line in maps if (match := _MAPPED.match(line.rstrip("\n")))}
    except OSError:  # just gone
        return


def _folders(pid: int | None, root: Path) -> Iterator[Path]:
    """Where the process looks for compiled modules."""
    try:
        path = psutil.Process(pid).environ().get("LEAN_PATH", "") if pid is not None else ""
    except (psutil.Error, OSError):
        path = ""
    for folder in path.split(os.pathsep):
        if folder:
            yield root / folder


def _reachable(text: str, root: Path, folders: list[Path]) -> Iterator[str]:
    found: set[str] = set()
    open_ends = imports_of(text)
    while open_ends:
        module = open_ends.pop()
        if module in found:
            continue
        found.add(module)
        compiled = find_compiled(module, folders)
        if compiled is not None:
            yield str(compiled)
        source = root / (module.replace(".", "/") + ".lean")
        if source.is_file():
            open_ends += imports_of(source.read_text(encoding="utf-8", errors="replace"))


def _module(path: str) -> tuple[str, ...]:
    """The parts of a module's name, by where Lake or a folder of the search path has the compiled file."""
    if not path.endswith(OLEAN):
        return ()
    for library in ("/lib/lean/", "/lib/"):
        _, found, name = path.replace(os.sep, "/").rpartition(library)
        if found:
            return Path(name).with_suffix("").parts
    return (Path(path).stem,)


def _source(path: str, root: Path) -> str | None:
    """The source of a compiled module in the project itself."""
    source = root.joinpath(*_module(path)).with_suffix(".lean") if _module(path) else None
    return str(source) if source is not None and source.is_file() else None


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
