"""What a document imports: the modules, why Lean cannot read them, and whether their files are still the same."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import psutil

from llmstep.errors import LeanError, LeanImportsError, LeanProjectError
from llmstep.lean.project import LAKEFILES, packages_folder, packages_of
from llmstep.lean.text import mask

OLEAN: Final = ".olean"
LIBRARIES: Final = (".lake/build/lib/lean", ".lake/build/lib", "build/lib")
"""Where Lake puts compiled modules below a package, the newest layout first."""

_IMPORT: Final = re.compile(r"(?:public\s+)?(?:meta\s+)?import\s+(?:all\s+)?(?:runtime\s+)?((?:«[^»]*»|[^\s«])+)")
_FIRST: Final = re.compile(r"\s*(?:module\b\s*)?(?:prelude\b\s*)?")
_MAX_LENGTH: Final = 100_000
"""Most characters that are searched for imports."""
_LINE: Final = 200
_LOCK: Final = "could not acquire an exclusive configuration lock"
_INVALID: Final = "Invalid Lake configuration"
_STALE: Final = "Imports are out of date"
_FAILED: Final = re.compile(r"\A`[^`]*\bsetup-file\b[^`]*` failed:")
_UNREADABLE: Final = re.compile(
    r"unknown module prefix|object file '.*' of module|unknown package|bad import|no such file.*\.olean"
    r"|failed to (?:read|open) file"
)
_MAPPED: Final = re.compile(r"\S+ \S+ \S+ \S+ \d+ +(/.*\.olean)(?: \(deleted\))?$")

Stamp = tuple[int, int] | None
"""Time and size of a file; None where there is none."""


def imports_of(text: str) -> list[str]:
    """The modules that a file imports, as they are written."""
    names = []
    text = text.removeprefix("\ufeff")[:_MAX_LENGTH]
    for line in mask(text[: text.rfind("import") + _LINE]).split("\n"):
        rest = _FIRST.sub("", line, count=1).strip()
        found = _IMPORT.findall(rest) if _IMPORT.match(rest) else []
        names += [name.replace("«", "").replace("»", "") for name in found]
        if rest and not found:
            break
    return names


def header_error(
    diagnostics: Iterable[dict[str, Any]], text: str, root: Path, stderr: Iterable[str] = ()
) -> LeanError | None:
    """The error that says why Lean could not read the imports of a document; None where it could.

    Args:
        diagnostics: Of the document, as Lean sent them.
        root: The folder that the server runs in.
        stderr: What the server wrote to its standard error; Lake says there that it serves without the workspace.
    """
    for each in diagnostics:
        start = each["range"]["start"]
        at_top = each.get("severity") == 1 and (start["line"], start["character"]) == (0, 0)
        if at_top and (error := _error(str(each["message"]), text, root)):
            return _locked() if any(_LOCK in line for line in stderr) else error
    return None


def _error(message: str, text: str, root: Path) -> LeanError | None:
    if message.startswith(_STALE):
        return LeanImportsError("The imports of this file are out of date.", hint=_advice(text, root))
    if _LOCK in message:
        return _locked()
    if _INVALID in message or _FAILED.match(message):
        said = [line.strip() for line in _FAILED.sub("", message).splitlines() if line.strip()]
        said = [line for line in said if line != "stderr:" and not line.startswith(_INVALID)]
        wrong = [line for line in said if line.startswith("error:")] or said[-1:]
        return LeanProjectError(
            "Lake cannot prepare this file" + (f": {wrong[0].removeprefix('error:').strip()[:200]}" if wrong else "."),
            hint=f"Run `lake build` in {root} to see more; the next question starts Lean anew.",
        )
    if _UNREADABLE.search(message):
        first = message.strip().splitlines()[0][:200].rstrip(".")
        return LeanImportsError(f"Lean cannot read an import of this file: {first}.", hint=_advice(text, root))
    return None


def _locked() -> LeanProjectError:
    error = LeanProjectError(
        "Another Lake is configuring this project.", hint="Wait until it has finished, and ask again."
    )
    error.retryable = True
    return error


def _advice(text: str, root: Path) -> str:
    modules = " ".join(imports_of(text))
    if not modules:
        return "It is Lean's own library: install the toolchain again; `llmstep doctor` says which it is."
    if not any((root / name).is_file() for name in LAKEFILES):
        return f"The file is in no Lake project: {root} has no lakefile. Move it into the project that has the module."
    return (
        f"Run `lake build {modules}` in {root}, with Mathlib `lake exe cache get` first;"
        " in an editor, Build the Imports does that."
    )


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


def _folders(pid: int | None, root: Path) -> list[Path]:
    try:
        path = psutil.Process(pid).environ().get("LEAN_PATH", "") if pid is not None else ""
    except (psutil.Error, OSError):
        path = ""
    return [root / folder for folder in path.split(os.pathsep) if folder]


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
