"""Which Lean a project means, by its toolchain file, and what follows from its age."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

TOOLCHAIN: Final = "lean-toolchain"

Version = tuple[int, int]

_RELEASE: Final = re.compile(r"(?:\A|[:/])v?(\d+)\.(\d+)(?:\.|-|\Z)")
_NIGHTLY: Final = re.compile(r"nightly-(\d{4}-\d{2}-\d{2})")
_BY_STATEMENT: Final[Version] = (4, 12)
_BY_STATEMENT_NIGHTLY: Final = "2024-09-01"


def pinned_toolchain(root: Path) -> str | None:
    """The toolchain that the nearest file upwards names, as elan looks for it; None where there is none."""
    for folder in (root, *root.parents):
        try:
            return (folder / TOOLCHAIN).read_text(encoding="utf-8", errors="replace").lstrip(
                "\ufeff"
            ).strip().partition("\n")[0].strip()[:200] or None
        except OSError:
            continue
    return None


def version_of(toolchain: str | None) -> Version | None:
    """`(4, 27)` of `leanprover/lean4:v4.27.0`; None where the name does not say."""
    match = _RELEASE.search(toolchain or "")
    return (int(match[1]), int(match[2])) if match else None


def takes_variables_by_proof(root: Path) -> bool:
    """Whether a `variable` of a section may enter a theorem because only its proof names it, as before Lean 4.12.

    Where the version is not known, it may.
    """
    toolchain = os.environ.get("ELAN_TOOLCHAIN") or pinned_toolchain(root)
    nightly = _NIGHTLY.search(toolchain or "")
    if nightly:
        return nightly[1] < _BY_STATEMENT_NIGHTLY
    version = version_of(toolchain)
    return version is None or version < _BY_STATEMENT
