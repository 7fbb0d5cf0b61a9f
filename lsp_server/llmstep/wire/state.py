"""What runs, what is installed, what is set."""

from __future__ import annotations

from typing import Any, Literal

import attrs

Grade = Literal["ok", "note", "missing"]
ServerState = Literal["empty", "downloading", "loading", "idle", "goal", "generating", "checking"]


@attrs.frozen(kw_only=True)
class Status:
    """What the server is doing: `llmstep/status`."""

    state: ServerState
    """`empty`: no model in memory; `idle`: one in memory, nothing to do; `goal`: Lean is asked for the goal."""
    model: str
    """The model in memory."""
    selected: str
    """The model of the settings, which the next request loads."""
    device: str
    last_ms: float | None
    message: str
    engine: str
    """`inProcess`, `openai`, `llmstep`, or `shared` where the model of another window is used."""
    url: str
    """The server that runs the model, where that is not llmstep itself."""


@attrs.frozen(kw_only=True)
class LeanProcessRow:
    """A process of a Lean server."""

    pid: int
    role: Literal["launcher", "watchdog", "worker"]
    rss_bytes: int
    """Resident memory, with the pages that other Lean processes share."""
    private_bytes: int
    """Memory that is freed when it ends."""
    uri: str
    """Of a worker, the document that it elaborates."""


@attrs.frozen(kw_only=True)
class LeanServer:
    """A Lean server that llmstep runs."""

    root: str
    """Its folder."""
    command: tuple[str, ...]
    processes: tuple[LeanProcessRow, ...]


@attrs.frozen
class Finding:
    """One thing that `llmstep doctor` looked at."""

    topic: str
    grade: Grade
    """`note`: llmstep works, but this is worth knowing; `missing`: it is not usable without it."""
    text: str
    advice: str
    """What to do; empty where all is well."""
    details: dict[str, Any]


@attrs.frozen(kw_only=True)
class DoctorOutput:
    """What `llmstep doctor --json` prints."""

    usable: bool
    findings: tuple[Finding, ...]


@attrs.frozen(kw_only=True)
class SettingsFiles:
    """The settings files that are used."""

    user: str | None
    project: str | None


@attrs.frozen(kw_only=True)
class SettingRow:
    """One setting."""

    name: str
    value: Any
    default: Any
    origin: str
    """A file, a variable, `command line` or `default`."""
    variable: str
    """The environment variable for it."""


@attrs.frozen(kw_only=True)
class FaultRow:
    """A mistake in the settings."""

    message: str
    hint: str


@attrs.frozen(kw_only=True)
class SettingsOutput:
    """What `llmstep settings --json` prints."""

    files: SettingsFiles
    settings: tuple[SettingRow, ...]
    faults: tuple[FaultRow, ...]


@attrs.frozen(kw_only=True)
class ServerMessage:
    """An error that the user can act on: `llmstep/message`."""

    kind: Literal["error", "info"]
    code: str
    """Which kind of error: `settings`, `model_not_found`, `lean`, …"""
    message: str
    hint: str
