"""All findings, in the order they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.doctor import agents, engine, lean, machine, models, project, servers
from llmstep.doctor import settings as doctor_settings
from llmstep.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from llmstep.configuration.layers import Configuration


def examine(configuration: Configuration, place: Path) -> Iterator[Finding]:
    """The findings; each is made when it is asked for.

    Args:
        configuration: The settings, and where they come from.
        place: A Lean file or a folder; its project says which Lean is meant.
    """
    settings = configuration.settings
    looks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("llmstep", machine.llmstep),
        ("libraries", machine.libraries),
        ("settings", lambda: doctor_settings.settings(configuration, place)),
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
        ("agents", agents.agents),
    )
    for topic, look in looks:
        try:
            yield look()
        except Exception as error:  # what cannot be looked at must not hide the others
            yield Finding(topic, "note", f"cannot be examined: {type(error).__name__}: {error}", "Please report this.")


def usable(findings: Iterable[Finding]) -> bool:
    """Whether nothing essential is missing."""
    return all(finding.grade != "missing" for finding in findings)
