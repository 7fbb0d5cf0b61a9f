"""All findings, in the order they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from llmstep.configuration import Layer, project_file, user_file
from llmstep.doctor import lean, machine, models, note, ok, servers
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
        ("project", lambda: lean.project(settings, place)),
        ("engine", lambda: models.engine(settings)),
        ("models", lambda: models.models(settings)),
        ("recommended", models.recommendation),
        ("cache", models.cache),
        ("port", lambda: servers.port(settings)),
        ("running", servers.running),
        ("agents", servers.agents),
    )
    for topic, look in looks:
        try:
            yield look()
        except Exception as error:  # what cannot be looked at must not hide the others
            yield note(topic, f"cannot be examined: {type(error).__name__}: {error}", "Please report this.")


def usable(findings: Iterable[Finding]) -> bool:
    """Whether nothing essential is missing."""
    return all(finding.grade != "missing" for finding in findings)


def _settings(configuration: Layer, place: Path) -> Finding:
    """The files, and each setting that is not left to its default, with where it comes from."""
    own, project = user_file(), project_file(place)
    files = [str(each) for each in (own if own.is_file() else None, project) if each is not None]
    origins, faults = dict(configuration.origins), configuration.faults
    said = [{"message": each.message, "hint": each.hint} for each in faults]
    details = {"files": files, "user_file": str(own), "set": origins, "faults": said}
    text = " and ".join(files) if files else f"no file ({own} would be yours)"
    if origins:
        more = f" and {len(origins) - _MAX_SHOWN} more" if len(origins) > _MAX_SHOWN else ""
        text += f"; set: {', '.join(f'{name} ({origins[name]})' for name in list(origins)[:_MAX_SHOWN])}{more}"
    if not faults:
        return ok("settings", text, **details)
    first = faults[0]
    text = f"{len(faults)} {'is' if len(faults) == 1 else 'are'} wrong and not used: {first.message} {text}"
    return note("settings", text, first.hint or "Correct it.", **details)
