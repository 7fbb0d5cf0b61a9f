"""The packages that Lake has fetched for a project, as its manifest tells. Nothing is run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

MANIFEST: Final = "lake-manifest.json"
_FOLDER: Final = Path(".lake", "packages")
_OLD_FOLDER: Final = Path("lake-packages")


def packages_of(root: Path) -> dict[str, Path]:
    """The packages of the manifest with their folders; those that a path names are where it says."""
    manifest = _manifest(root)
    folder = _folder(root, manifest)
    listed = manifest.get("packages")
    packages = {}
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict):
            name = str(each.get("name", "")).strip("«»")
            own = each.get("dir") if each.get("type") == "path" else None
            packages[name] = root / str(own) if own else folder / name
    return packages


def packages_folder(root: Path) -> Path:
    """Where Lake puts the packages of a project."""
    return _folder(root, _manifest(root))


def _folder(root: Path, manifest: dict[str, Any]) -> Path:
    named = manifest.get("packagesDir")
    if isinstance(named, str) and named and "\0" not in named:
        return Path(os.path.normpath(root / named))
    return root / (_FOLDER if not (root / _OLD_FOLDER).is_dir() or (root / _FOLDER).is_dir() else _OLD_FOLDER)


def _manifest(root: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((root / MANIFEST).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return manifest if isinstance(manifest, dict) else {}
