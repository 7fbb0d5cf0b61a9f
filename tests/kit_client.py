"""The LSP client of the kit (`lean_kit/lsp.py`), which is a program and no package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent / "lean_kit" / "lsp.py"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("lean_kit_lsp", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Lsp: Any = _load().Lsp
"""A Lean server and the conversation with it, blocking."""
