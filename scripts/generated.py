"""Files that are made from the code: a script writes them, and with `--check` says which of them are stale."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).resolve().parents[1]


def write_or_check(script: str, made: Mapping[Path, str], old: Iterable[Path] = ()) -> int:
    """The exit status: 0, or 1 where a file is stale.

    Args:
        script: The name of the script that makes them.
        made: Texts, by the files that they belong in.
        old: Files that are no longer made.
    """
    if "--check" in sys.argv[1:]:
        stale = [path for path, text in made.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
        stale += old
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: run `python scripts/{script}`.", file=sys.stderr)
        return 1 if stale else 0
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0
