"""The small files of a model's folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmstep.decoder.interface import DamagedError

if TYPE_CHECKING:
    from pathlib import Path


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None where there is no such file.

    Raises:
        DamagedError: It is none.
    """
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise broken(path) from error
    if not isinstance(found, dict):
        raise broken(path)
    return found


def broken(path: Path) -> DamagedError:
    return DamagedError(f"The model file {path} is not valid JSON.", "Copy, save or download the model again.")
