"""A Lake project around the Lean of the tests, with a `lake` that does what a test says."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from llmstep.settings import CheckSettings, LeanSettings, Settings

PROGRAM = Path(__file__).parent / "lake.py"


class FakeLake:
    """A project folder, and the `lake` for it."""

    def __init__(self, folder: Path, lean: Path) -> None:
        self.root = folder / "project"
        self.root.mkdir(parents=True)
        (self.root / "lakefile.toml").write_text('name = "project"\n', encoding="utf-8")
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.program = self.bin / "lake"
        self.program.write_text(f"#!{sys.executable}\n" + PROGRAM.read_text(encoding="utf-8"), encoding="utf-8")
        self.program.chmod(0o755)
        self._control: dict[str, Any] = {"lean": str(lean)}
        self.control()

    def control(self, **changes: Any) -> None:
        """What it does from now on."""
        self._control |= changes
        new = self.bin / "new.json"
        new.write_text(json.dumps(self._control), encoding="utf-8")
        new.replace(self.bin / "control.json")  # a `lake` that runs reads one or the other

    def hold(self) -> None:
        """From now on its servers and builds wait, until `go_on`."""
        (self.bin / "held").touch()

    def go_on(self) -> None:
        (self.bin / "held").unlink()

    def calls(self, command: str) -> list[dict[str, Any]]:
        """How it was called with a command: `{words, env, cwd}`."""
        log = self.bin / "log.jsonl"
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.exists() else []
        calls = [json.loads(line) for line in lines if line.endswith("\n")]  # the last one may be on its way
        return [call for call in calls if call["words"][:1] == [command]]

    def source(self, module: str, text: str) -> Path:
        """Writes the source of a module, later than everything before."""
        file = self.root / (module.replace(".", "/") + ".lean")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        now = time.time_ns()  # what the system notes by itself is some milliseconds behind
        os.utime(file, ns=(now, now))
        return file

    def settings(self, *, lean: dict[str, Any] | None = None, check: dict[str, Any] | None = None) -> Settings:
        """Settings with this `lake`."""
        command = (str(self.program), "serve", "--", "-Dserver.reportDelayMs=0")
        return Settings(
            lean=LeanSettings(command=command, **{"timeout_seconds": 120.0, **(lean or {})}),
            check=CheckSettings(**{"timeout_seconds": 20.0, **(check or {})}),
        )

    def environment(self) -> dict[str, str]:
        """Variables for a process that finds this `lake` on its PATH."""
        return {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}
