"""Whether a project is ready: its packages fetched, the imports of a file built, its lakefile the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from llmstep.settings import Settings
from llmstep.wire.state import Finding

_OF_THE_TOOLCHAIN: Final = frozenset({"Init", "Lean", "Lake", "Std"})
_SHOWN: Final = 5


def project(settings: Settings, place: Path) -> Finding:
    """The project that `place` is in. Nothing is run and nothing is fetched."""
    from llmstep.lean.header import imports_of
    from llmstep.lean.imports import find_compiled, library_folders
    from llmstep.lean.project import find_project, packages_of, working_folder

    found = find_project(place, working_folder())
    details: dict[str, Any] = {
        "project": str(found.root),
        "lake": found.lake,
        "buildImports": settings.lean.build_imports,
    }
    if found.passed_over is not None:
        text = f"the lakefile or toolchain file in {found.passed_over} belongs to another user and is not used"
        advice = "Run llmstep in that folder if you trust it, or open it as the editor's folder."
        return Finding("project", "note", text, advice, details | {"passed_over": str(found.passed_over)})
    imports = imports_of(place.read_text(encoding="utf-8", errors="replace")) if place.is_file() else []
    others = [name for name in imports if name.partition(".")[0] not in _OF_THE_TOOLCHAIN]
    if not found.lake:
        text = f"{found.root} has no lakefile"
        if others:
            advice = "Move the file into the project that has them."
            return Finding("project", "note", f"{text}, and the file imports {_some(others)}", advice, details)
        return Finding("project", "ok", text, "", details)
    packages = packages_of(found.root)
    absent = [name for name, folder in packages.items() if not folder.is_dir()]
    folders = library_folders(found.root)
    unbuilt = [name for name in others if find_compiled(name, folders) is None]
    details |= {"packages": list(packages), "absent": absent, "imports": imports, "unbuilt": unbuilt}
    text = f"{len(packages)} packages in {found.root}"
    if absent:
        advice = f"Run `lake build` in {found.root}, with Mathlib `lake exe cache get` first."
        return Finding("project", "note", f"{text}, not fetched: {_some(absent)}", advice, details)
    if unbuilt:
        advice = f"Run in {found.root}: lake build {' '.join(unbuilt)} (with Mathlib `lake exe cache get` first)"
        return Finding("project", "note", f"{text}; imports that are not built: {_some(unbuilt)}", advice, details)
    built = f"; {len(imports)} imports, all built" if imports else ""
    return Finding("project", "ok", text + built, "", details)


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
