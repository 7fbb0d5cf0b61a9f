"""All findings, in the order they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from llmstep.configuration import Layer, project_file, user_file
from llmstep.doctor import engine, lean, machine, models, project, servers
from llmstep.mcp import companion
from llmstep.wire.state import Finding

_MAX_SHOWN = 8


def examine(configuration: Layer, place: Path) -> Iterator[Finding]:
    """The findings; each is made when it is asked for.

    Args:
        configuration: The settings, and where they come from.
        place: A Lean file or a folder; its project says which Lean is meant.
    """
    settings = configuration.settings
    looks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("llmstep", machine.llmstep),
        ("libraries", machine.libraries),
        ("settings", lambda: _settings(configuration, place)),
        ("device", machine.device),
        ("memory", machine.memory),
        ("Lean", lambda: lean.lean(settings, place)),
        ("project", lambda: project.project(settings, place)),
        ("engine", lambda: engine.engine(settings)),
        ("models", lambda: models.models(settings)),
        ("recommended", models.recommendation),
        ("cache", models.cache),
        ("port", lambda: servers.port(settings)),
        ("running", servers.running),
        ("agents", _agents),
    )
    for topic, look in looks:
        try:
            yield look()
        except Exception as error:  # what cannot be looked at must not hide the others
            yield Finding(
                topic, "note", f"cannot be examined: {type(error).__name__}: {error}", "Please report this.", {}
            )


def usable(findings: Iterable[Finding]) -> bool:
    """Whether nothing essential is missing."""
    return all(finding.grade != "missing" for finding in findings)


def _settings(configuration: Layer, place: Path) -> Finding:
    """The files, and each setting that is not left to its default, with where it comes from."""
    own, project = user_file(), project_file(place)
    files = [str(each) for each in (own if own.is_file() else None, project) if each is not None]
    origins = dict(configuration.origins)
    faults = [{"message": each.message, "hint": each.hint} for each in configuration.faults]
    details: dict[str, Any] = {"files": files, "user_file": str(own), "set": origins, "faults": faults}
    names = list(origins)
    text = " and ".join(files) if files else f"no file ({own} would be yours)"
    if names:
        more = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
        text += "; set: " + ", ".join(f"{name} ({origins[name]})" for name in names[:_MAX_SHOWN]) + more
    if faults:
        first = configuration.faults[0]
        text = f"{len(faults)} {'is' if len(faults) == 1 else 'are'} wrong and not used: {first.message} {text}"
        return Finding("settings", "note", text, first.hint or "Correct it.", details)
    return Finding("settings", "ok", text, "", details)


def _agents() -> Finding:
    """Whether `llmstep mcp` can be started, and what is open in editors."""
    running = companion.running()
    installed = machine.version_of("mcp")
    text = "llmstep mcp needs the package mcp (pip install 'llmstep[mcp]')"
    if installed:
        text = f"llmstep mcp can be started (mcp {installed})"
    folders = [str(root) for each in running for root in each.roots]
    text += f"; editors have open: {', '.join(folders)}" if folders else "; no editor with llmstep has a folder open"
    companions = [{"pid": each.pid, "folders": [str(root) for root in each.roots]} for each in running]
    return Finding("agents", "ok", text, "", {"mcp": installed, "companions": companions})
