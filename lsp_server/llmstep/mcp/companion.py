"""Which companions of this user run, and where they offer the tools: a file for each, which only the user can read."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from pathlib import Path

import attrs
import platformdirs
import psutil
from cattrs.preconf.json import make_converter

from llmstep import __version__
from llmstep.catalog.model_key import ModelKey
from llmstep.lsp.endpoint import listens
from llmstep.settings import Settings
from llmstep.whole_file import whole_file

_JSON = make_converter(detailed_validation=False)


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
    """Write its file, or write it anew; raises OSError."""
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    with whole_file(_file(companion.pid)) as new:
        new.touch(mode=0o600)
        new.write_text(_JSON.dumps(companion), encoding="utf-8")


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
        return _JSON.loads(file.read_text(encoding="utf-8"), Companion)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _file(pid: int) -> Path:
    return folder() / f"{pid}.json"
