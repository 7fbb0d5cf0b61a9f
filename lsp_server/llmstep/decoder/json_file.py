"""The small JSON files of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llmstep.decoder.interface import DamagedError
from llmstep.decoder.tensor_file import AGAIN


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
    """The error for a file that holds no JSON object."""
    return DamagedError(f"The model file {path} is not valid JSON.", AGAIN)
