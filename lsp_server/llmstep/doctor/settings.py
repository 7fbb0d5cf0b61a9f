"""Which settings files are used, what is set, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstep.configuration.files import project_file, user_file
from llmstep.doctor.finding import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.configuration.layers import Configuration

_SHOWN = 8


def settings(configuration: Configuration, place: Path) -> Finding:
    """The files, and each setting that is not left to its default, with where it comes from."""
    own, project = user_file(), project_file(place)
    files = [str(each) for each in (own if own.is_file() else None, project) if each is not None]
    origins = dict(configuration.origins)
    faults = [{"message": each.message, "hint": each.hint} for each in configuration.faults]
    details: dict[str, Any] = {"files": files, "user_file": str(own), "set": origins, "faults": faults}
    names = list(origins)
    text = " and ".join(files) if files else f"no file ({own} would be yours)"
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        text += "; set: " + ", ".join(f"{name} ({origins[name]})" for name in names[:_SHOWN]) + more
    if faults:
        first = configuration.faults[0]
        text = f"{len(faults)} {'is' if len(faults) == 1 else 'are'} wrong and not used: {first.message} {text}"
        return Finding("settings", "note", text, first.hint or "Correct it.", details)
    return Finding("settings", "ok", text, details=details)
