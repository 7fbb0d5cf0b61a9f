"""One run of a Neovim: a script that plays the user, what it recorded, and Lean's word on the file that it wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECONDS = 240

TEXT = """-- 𝔸 first
theorem t (p q : Prop) (hp : p) : p ∨ q := by
  /- 𝔸𝔸 -/ sorry

-- an edit of the next line counts as near
theorem u : True := trivial
"""

SETTINGS = {"model": "starter", "device": "cpu", "count": 32, "maxNewTokens": 48, "http": {"enabled": False}}


@attrs.frozen
class Session:
    """One Neovim with one Lean file on disk."""

    nvim: Path
    folder: Path
    lean: Path
    environment: dict[str, str]

    @property
    def file(self) -> Path:
        return self.folder / "Main.lean"

    def play(self, script: str, text: str = TEXT, **settings: Any) -> dict[str, Any]:
        """Run `script`, a Lua file of this folder, on `text`; what it recorded.

        `settings` are the user's settings of llmstep beyond `SETTINGS`; the settings of Lean come from the tests.
        """
        self.file.write_text(text)
        record = self.folder / "record.json"
        lean = {"command": [str(self.lean), "--server", "-Dserver.reportDelayMs=0"], **settings.pop("lean", {})}
        given = {
            "STEPS": str(HERE / "steps.lua"),
            "SCRIPT": str(HERE / script),
            "PAGE": str(ROOT / "docs" / "editors" / "neovim.md"),
            "SITE": str(self.folder.parent / "site"),
            "FILE": str(self.file),
            "RECORD": str(record),
            "LEAN": str(self.lean),
            "DEPENDENCY": str(self._other(".lake/packages/dep/Dep.lean", "lakefile.toml")),
            "LIBRARY": str(self._other("../library/Init.lean", "none.txt")),
            "PYTHON": sys.executable,
            "SETTINGS": json.dumps({**SETTINGS, **settings, "lean": lean}),
        }
        done = subprocess.run(
            [str(self.nvim), "--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", "luafile " + given["STEPS"]],
            env={**self.environment, **given},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{script} failed in Neovim:\n{done.stdout}\n{done.stderr}"
        recorded: dict[str, Any] = json.loads(record.read_text())
        return recorded

    def _other(self, name: str, marker: str) -> Path:
        """Another Lean file, with a file of a name beside it."""
        file = (self.folder / name).resolve()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("theorem u : True := trivial\n")
        (file.parent / marker).touch()
        return file

    def complaints(self) -> list[str]:
        """What a Lean of the tests' own says about the file on disk."""
        done = subprocess.run(
            [str(self.lean), "--json", str(self.file)], capture_output=True, text=True, timeout=SECONDS
        )
        return [json.loads(line)["data"] for line in done.stdout.splitlines() if line.startswith("{")]
