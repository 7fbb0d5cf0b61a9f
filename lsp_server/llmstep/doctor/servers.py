"""The port of the tactic, and the servers that run."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import psutil

from llmstep.http.probe import probe
from llmstep.lean import process as lean_process
from llmstep.progress import format_bytes
from llmstep.settings import Settings
from llmstep.wire.state import Finding

COMMANDS = ("lsp", "serve", "suggest", "prove", "train", "bench", "mcp")
"""Commands of llmstep that may have servers below them."""


def port(settings: Settings) -> Finding:
    """Who has the port of the tactic."""
    host, port = settings.http.host, settings.http.port
    details: dict[str, Any] = {"host": host, "port": port}
    if port == 0:
        return Finding("port", "ok", "any free port", "", details | {"state": "free"})
    health = asyncio.run(probe(host, port, token=os.environ.get("LLMSTEP_TOKEN") or None))
    if health is not None:
        details |= {"state": "llmstep", "health": attrs.asdict(health)}
        text = f"{port} is served by llmstep {health.version} (model {health.model}, {health.state})"
        return Finding("port", "ok", text, "", details)
    if _taken(host, port):
        advice = (
            "End that program, or set LLMSTEP_PORT to another port for the tactic and llmstep alike"
            " (in VS Code also llmstep.http.port)."
        )
        return Finding("port", "note", f"{port} is used by another program", advice, details | {"state": "taken"})
    return Finding("port", "ok", f"{port} is free", "", details | {"state": "free"})


def _taken(host: str, port: int) -> bool:
    with socket.socket() as trial:
        trial.settimeout(1.0)
        try:
            trial.connect(("127.0.0.1" if host in ("", "0.0.0.0", "localhost") else host, port))
        except OSError:
            return False
        return True


def running() -> Finding:
    """This user's llmstep processes and the Lean servers that llmstep started, those left over included."""
    processes = list(psutil.process_iter())
    companions = {each.pid: command for each in processes if (command := companion(_words(each)))}
    companions.pop(os.getpid(), None)
    started = [each for each in processes if _is_marked(each)]
    left = [each.pid for each in started if _is_left_over(each)]
    lean = lean_process.describe(started)
    details = {
        "llmstep": [{"pid": pid, "command": command} for pid, command in companions.items()],
        "lean": [attrs.asdict(each) for each in lean],
        "left_over": left,
    }
    text = ", ".join(f"{command} (pid {pid})" for pid, command in companions.items()) or "no llmstep"
    if lean:
        resident, private = sum(each.rss_bytes for each in lean), sum(each.private_bytes for each in lean)
        text += f"; {len(lean)} Lean processes of llmstep, {format_bytes(resident)}, private {format_bytes(private)}"
    else:
        text += "; no Lean server of llmstep"
    if left:
        advice = f"End the Lean processes that an llmstep left behind: {' '.join(map(str, left))}"
        return Finding("running", "note", text, advice, details)
    return Finding("running", "ok", text, "", details)


def companion(words: Sequence[str]) -> str:
    """`llmstep serve` when this command line is one of llmstep's that run for long, else the empty text."""
    for before, word, command in zip(("", *words), words, (*words[1:], ""), strict=False):
        is_llmstep = Path(word).stem == "llmstep" and (before == "-m" or os.path.dirname(word) != "" or before == "")
        if is_llmstep and command in COMMANDS:
            return f"llmstep {command}"
    return ""


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() if process.username() == psutil.Process().username() else []
    except (psutil.Error, OSError):
        return []


def _is_marked(process: psutil.Process) -> bool:
    try:
        return lean_process.MARK in process.environ()
    except (psutil.Error, OSError):  # another user's, or just gone
        return False


def _is_left_over(process: psutil.Process) -> bool:
    """Whether the process above a Lean server's own ones is not the one that started it, but the system's first."""
    try:
        above = next((each for each in process.parents() if not _is_marked(each)), None)
        return above is None or (_is_first(above) and not companion(_words(above)))
    except psutil.Error:
        return False


def _is_first(process: psutil.Process) -> bool:
    """Whether this is who inherits orphans; in a container it may be llmstep itself."""
    return process.pid == 1 or process.name() in ("init", "systemd", "launchd")
