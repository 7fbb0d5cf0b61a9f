"""Which companions of this user run, and where they offer the tools: a file for each, which only the user can read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import platformdirs
import psutil

from llmstep import __version__
from llmstep.catalog.model_key import ModelKey
from llmstep.lsp.endpoint import listens

if TYPE_CHECKING:
    from llmstep.settings import Settings

_MAX_LENGTH = 1 << 20


@attrs.frozen
class Companion:
    """A running llmstep that works for agents too."""

    pid: int
    port: int
    """On loopback."""
    token: str = attrs.field(repr=False)
    key: str
    """See `key_of`."""
    roots: tuple[Path, ...]
    """The folders that are open in its editor, without links."""
    version: str = __version__

    def holds(self, path: Path) -> bool:
        """Whether a file is in one of its folders."""
        return any(path.is_relative_to(root) for root in self.roots)


def key_of(settings: Settings) -> str:
    """What two llmsteps must have in common to give the same answers."""
    sampling = (settings.count, settings.temperature, settings.top_p, settings.max_new_tokens)
    parts = (ModelKey.of(settings), sampling, settings.premises, settings.lean.command)
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(32)


def folder() -> Path:
    """Where the files are."""
    return platformdirs.user_state_path("llmstep") / "companions"


def announce(companion: Companion) -> None:
    """Write its file, or write it anew.

    Raises:
        OSError: It cannot be written.
    """
    here = folder()
    here.mkdir(parents=True, exist_ok=True, mode=0o700)
    record = {**attrs.asdict(companion), "roots": [str(root) for root in companion.roots]}
    new = here / f"{companion.pid}.{secrets.token_hex(4)}"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(record, file)
    new.replace(_file(companion.pid))


def withdraw(pid: int) -> None:
    """Remove a companion's file."""
    with contextlib.suppress(OSError):
        _file(pid).unlink(missing_ok=True)


def running() -> list[Companion]:
    """Those of this version that run; the files of others that have died are removed."""
    running = []
    for file in sorted(folder().glob("*.json")):
        found = _read(file)
        if found is None or found.version != __version__:
            continue
        if listens(found.pid, found.port):  # nobody else is sent the token
            running.append(found)
        elif not psutil.pid_exists(found.pid):
            withdraw(found.pid)
    return running


def _read(file: Path) -> Companion | None:
    try:
        with file.open("rb") as source:
            raw = json.loads(source.read(_MAX_LENGTH))
        raw["roots"] = tuple(Path(root) for root in raw["roots"])
        return Companion(**raw)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _file(pid: int) -> Path:
    return folder() / f"{pid}.json"
