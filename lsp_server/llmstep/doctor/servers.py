"""The port of the tactic, the servers that run, and the folders that are open in editors."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import psutil

from llmstep.doctor import note, ok
from llmstep.doctor.machine import version_of
from llmstep.http.probe import probe
from llmstep.lean import process as lean_process
from llmstep.mcp.companion import running as running_companions
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
        return ok("port", "any free port", **details, state="free")
    health = asyncio.run(probe(host, port, token=os.environ.get("LLMSTEP_TOKEN") or None))
    if health is not None:
        text = f"{port} is served by llmstep {health.version} (model {health.model}, {health.state})"
        return ok("port", text, **details, state="llmstep", health=attrs.asdict(health))
    if not _taken(host, port):
        return ok("port", f"{port} is free", **details, state="free")
    advice = (
        "End that program, or set LLMSTEP_PORT to another port for the tactic and llmstep alike"
        " (in VS Code also llmstep.http.port)."
    )
    return note("port", f"{port} is used by another program", advice, **details, state="taken")


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
    processes = list(psutil.process_iter(["name", "ppid", "username", "cmdline", "environ"]))
    seen = {each.pid: each.info for each in processes}
    mine = psutil.Process().username()
    own = {pid: info["cmdline"] or () for pid, info in seen.items() if info["username"] == mine}
    companions = {pid: command for pid, words in own.items() if (command := companion(words))}
    started = [each for each in processes if lean_process.MARK in (each.info["environ"] or {})]
    left = _left_over({each.pid for each in started}, seen, companions)
    companions.pop(os.getpid(), None)
    lean = lean_process.describe(started)
    details = {
        "llmstep": [{"pid": pid, "command": command} for pid, command in companions.items()],
        "lean": [attrs.asdict(each) for each in lean],
        "left_over": left,
    }
    text = ", ".join(f"{command} (pid {pid})" for pid, command in companions.items()) or "no llmstep"
    resident, private = sum(each.rss_bytes for each in lean), sum(each.private_bytes for each in lean)
    memory = f"{len(lean)} Lean processes of llmstep, {format_bytes(resident)}, private {format_bytes(private)}"
    text += f"; {memory if lean else 'no Lean server of llmstep'}"
    if left:
        advice = f"End the Lean processes that an llmstep left behind: {' '.join(map(str, left))}"
        return note("running", text, advice, **details)
    return ok("running", text, **details)


def agents() -> Finding:
    """Whether `llmstep mcp` can be started, and what is open in editors."""
    open_now = [(each.pid, [str(root) for root in each.roots]) for each in running_companions()]
    installed = version_of("mcp")
    text = "llmstep mcp needs the package mcp (pip install 'llmstep[mcp]')"
    if installed:
        text = f"llmstep mcp can be started (mcp {installed})"
    folders = [folder for _, roots in open_now for folder in roots]
    text += f"; editors have open: {', '.join(folders)}" if folders else "; no editor with llmstep has a folder open"
    companions = [{"pid": pid, "folders": roots} for pid, roots in open_now]
    return ok("agents", text, mcp=installed, companions=companions)


def companion(words: Sequence[str]) -> str:
    """`llmstep serve` when this command line is one of llmstep's that run for long, else the empty text."""
    for before, word, command in zip(("", *words), words, (*words[1:], ""), strict=False):
        is_llmstep = Path(word).stem == "llmstep" and (before == "-m" or os.path.dirname(word) != "" or before == "")
        if is_llmstep and command in COMMANDS:
            return f"llmstep {command}"
    return ""


def _left_over(started: set[int], seen: Mapping[int, Mapping[str, Any]], companions: Container[int]) -> list[int]:
    """Those of Lean's processes above which is not the one that started them, but the one that inherits orphans.

    In a container that may be llmstep itself.
    """
    left = []
    for pid in sorted(started):
        above = pid
        while above in started:
            above = seen[above]["ppid"]
        inherits = above == 1 or above not in seen or seen[above]["name"] in ("init", "systemd", "launchd")
        if inherits and above not in companions:
            left.append(pid)
    return left
