"""A Lean server of the tests' own, that the server under test knows nothing of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.lean.server import LeanServer

if TYPE_CHECKING:
    from pathlib import Path

ERROR = 1


class Judge:
    """What a real Lean server, that the server under test knows nothing of, says about a text."""

    def __init__(self, command: tuple[str, ...], folder: Path) -> None:
        self.lean = LeanServer(command, folder, timeout=60)
        self._uri = (folder / "Judged.lean").as_uri()

    async def complaints(self, text: str) -> list[str]:
        """Errors, and the use of `sorry`."""
        version = await self.lean.change(self._uri, text)
        found = await self.lean.wait(self._uri, version)
        return [each["message"] for each in found if each["severity"] == ERROR or "sorry" in each["message"]]
