"""Companions of agents: which run, where they are found, and what they do.

A companion writes its port and its token into a file that only its user can read. At that port, on loopback, it takes
the calls of the same user's `llmstep mcp`, so that its model and its Lean servers do the work: `POST /tools/NAME` with
the arguments of a call; the answer is lines as in `llmstep.engine.wire`, at the end `{"result": …}` or `{"error": …}`.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import platformdirs
import psutil
from cattrs.preconf.json import make_converter

from llmstep import __version__
from llmstep.catalog.model_key import ModelKey
from llmstep.errors import LlmstepError
from llmstep.http.kept import Kept
from llmstep.lsp.endpoint import listens
from llmstep.settings import Settings
from llmstep.strict_json import loads
from llmstep.whole_file import whole_file

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from llmstep.app import App

HOST = "127.0.0.1"
_log = logging.getLogger(__name__)
_JSON = make_converter(detailed_validation=False)


@attrs.frozen
class Companion:
    """A running llmstep that works for agents too."""

    pid: int = attrs.field(validator=attrs.validators.lt(2**31))
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
        return _JSON.structure(loads(file.read_bytes()), Companion)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _file(pid: int) -> Path:
    return folder() / f"{pid}.json"


class Offer(Kept):
    """Answers `llmstep mcp` while its companion runs.

    Args:
        app: Does the work.
        folders: Gives the folders that are open in the editor; only files in them are read.
    """

    def __init__(self, app: App, folders: Callable[[], Sequence[Path]]) -> None:
        super().__init__()
        self._app = app
        self._folders = folders
        self._token = new_token()
        app.store.subscribe(lambda settings: settings, self.refresh)

    def refresh(self, *_: object) -> None:
        """The settings have changed, or the folders."""
        self.follow()
        if self._server is not None:  # else the file will say what holds then
            self.on_change()

    def place(self) -> tuple[str, int] | None:
        settings = self._app.settings
        return (HOST, 0) if settings.share_model and settings.http.enabled else None

    def on_change(self) -> None:
        """Write the file by which `llmstep mcp` finds this companion, or take it away."""
        if self._server is None:
            withdraw(os.getpid())
            return
        roots = tuple(dict.fromkeys(folder.resolve() for folder in self._folders()))
        key = key_of(self._app.settings)
        try:
            announce(Companion(os.getpid(), self._server.port, self._token, key, roots))
        except OSError as error:
            _log.warning("llmstep mcp will not find this companion: %s", error)

    async def on_failure(self, error: LlmstepError) -> None:
        _log.warning("no tools for agents: %s", error)

    def make(self) -> Starlette:
        from starlette.routing import Route

        from llmstep.http.security import guarded_app

        return guarded_app([Route("/tools/{name}", self._called, methods=["POST"])], HOST, self._token)

    async def _called(self, request: Request) -> Response:
        from llmstep.http.answers import RefusedError
        from llmstep.http.bodies import decoded, json_object
        from llmstep.http.streams import line_stream
        from llmstep.mcp.files import OutsideError
        from llmstep.mcp.tools import Call

        raw = await decoded(request, json_object)
        try:
            call = Call.of(request.path_params["name"], raw, self._folders())
        except OutsideError as error:
            raise RefusedError(409, error.message, hint=error.hint) from None
        return line_stream(lambda progress: call.run(self._app, progress), lambda record: {"result": record})
