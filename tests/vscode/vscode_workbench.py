"""A code-server of the tests' own: folders, settings, installed extensions, start and end, and its companions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from install import entry, node
from ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEEPER = Path(__file__).with_name("keeper.py")

SECONDS = 240.0
"""Longest wait for anything; a test that meets it fails."""

QUIET = {
    # each as VS Code 1.139 writes it: a setting of an older form is rewritten at start, beside the first test
    "workbench.startupEditor": "none",
    "workbench.commandPalette.history": 0,
    "workbench.tips.enabled": False,
    "workbench.welcomePage.walkthroughs.openOnInstall": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.editor.useModal": "off",
    "workbench.reduceMotion": "on",
    "editor.cursorBlinking": "solid",
    "editor.minimap.enabled": False,
    "chat.disableAIFeatures": True,
    "chat.commandCenter.enabled": False,
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": "off",
    "extensions.ignoreRecommendations": True,
    "telemetry.telemetryLevel": "off",
    "git.enabled": False,
    "files.autoSave": "off",
    "editor.lightbulb.enabled": "on",
    "window.dialogStyle": "custom",
}
"""User settings that keep the workbench from showing what no test is about."""


class Workbench:
    """One server with its folders below `home`.

    Settings that are bound to the machine must be in `machine`: VS Code reads them from the user's file only sometimes.
    """

    def __init__(
        self,
        home: Path,
        program: Path,
        *,
        extensions: Sequence[Path] = (),
        user: Mapping[str, Any] | None = None,
        machine: Mapping[str, Any] | None = None,
        folder_settings: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.folder = home / "project"
        self.data = home / "data"
        self.port = free_port()
        self._program = program
        self._extensions = extensions
        self._process: subprocess.Popen[bytes] | None = None
        for folder in (self.folder / ".vscode", self.data / "User", self.data / "Machine", home / "home"):
            folder.mkdir(parents=True)
        (self.folder / "lean-toolchain").write_text("leanprover/lean4:v4.35.0\n")
        self.settings_file = self.data / "User" / "settings.json"
        self.settings_file.write_text(json.dumps({**QUIET, **(user or {})}, indent=1))
        (self.data / "Machine" / "settings.json").write_text(json.dumps(dict(machine or {}), indent=1))
        self._folder_settings: dict[str, Any] = {}
        self.configure(**(folder_settings or {}))
        (home / "server.yaml").write_text(f"bind-addr: 127.0.0.1:{self.port}\nauth: none\ncert: false\n")
        scratch = {f"XDG_{kind}_HOME": str(home / "home" / kind.lower()) for kind in ("CONFIG", "DATA", "CACHE")}
        self._environment = {
            **os.environ,
            **scratch,
            "HOME": str(home / "home"),
            "HF_HOME": str(home / "home" / "hf"),
            "HF_HUB_OFFLINE": "1",
            "EXTENSIONS_GALLERY": "{}",
            **(environment or {}),
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def address(self, *, folder: Path | None = None, payload: Sequence[tuple[str, str]] = ()) -> str:
        """The page of a window on a folder, and what else its start takes."""
        query = {"folder": str(folder or self.folder), "payload": json.dumps(list(payload))}
        return self.url + "?" + urllib.parse.urlencode(query)

    def remote(self, path: Path) -> str:
        """A path as the page names it."""
        return f"vscode-remote://127.0.0.1:{self.port}{path}"

    async def __aenter__(self) -> Workbench:
        """Install the extensions and start the server."""
        for each in self._extensions:
            done = await asyncio.to_thread(
                subprocess.run,
                self._command("--install-extension", str(each)),
                env=self._environment,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{each} could not be installed:\n{done.stdout}{done.stderr}"
        quiet = ("telemetry", "update-check", "workspace-trust", "getting-started-override", "file-downloads")
        with (self.home / "server.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 (returns at once)
                [
                    sys.executable,
                    str(KEEPER),
                    *self._command(*(f"--disable-{what}" for what in quiet), str(self.folder)),
                ],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            await self._until_up(self._process)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the server and all that it has started."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.to_thread(process.wait)

    def companions(self) -> list[psutil.Process]:
        """The processes `llmstep lsp` of this workbench."""
        return [each for each in self.processes() if _command_line(each)[-2:] == ["llmstep", "lsp"]]

    def processes(self) -> list[psutil.Process]:
        """All processes that the server has started."""
        assert self._process is not None
        return psutil.Process(self._process.pid).children(recursive=True)

    def lean_servers(self) -> list[psutil.Process]:
        """The Lean servers (watchdogs) that the companions have started."""
        children = [child for each in self.companions() for child in each.children(recursive=True)]
        return [each for each in children if "--server" in _command_line(each)]

    def settings(self) -> dict[str, Any]:
        """The user's settings on disk; none while VS Code writes them."""
        with contextlib.suppress(json.JSONDecodeError):
            return dict(json.loads(self.settings_file.read_text()))
        return {}

    def configure(self, **changes: Any) -> None:
        """Change settings of the folder, `__` in a name standing for a dot; None takes one away.

        Not the user's: this workbench does not watch their file, and the folder's it does.
        """
        self._folder_settings |= {key.replace("__", "."): value for key, value in changes.items()}
        kept = {key: value for key, value in self._folder_settings.items() if value is not None}
        (self.folder / ".vscode" / "settings.json").write_text(json.dumps(kept, indent=1))

    def _command(self, *arguments: str) -> list[str]:
        places = ["--config", str(self.home / "server.yaml"), "--user-data-dir", str(self.data)]
        places += ["--extensions-dir", str(self.home / "extensions")]
        return [str(node(self._program)), str(entry(self._program)), *places, *arguments]

    async def _until_up(self, process: subprocess.Popen[bytes]) -> None:
        deadline = asyncio.get_running_loop().time() + SECONDS
        while True:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(urllib.request.urlopen, self.url + "healthz", timeout=5)
                return
            log = (self.home / "server.log").read_text()
            assert process.poll() is None, f"the workbench ended at once:\n{log}"
            assert asyncio.get_running_loop().time() < deadline, f"the workbench did not come up:\n{log}"
            await asyncio.sleep(0.1)


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
