"""The head of a file: which modules it imports, and what Lean says when it cannot read them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from llmstep.errors import LeanError, LeanImportsError, LeanProjectError
from llmstep.lean.project import LAKEFILES
from llmstep.lean.text import mask

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
        text: Of the document.
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
        return LeanImportsError(
            f"Lean cannot read an import of this file: {message.strip().splitlines()[0][:200].rstrip('.')}.",
            hint=_advice(text, root),
        )
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
