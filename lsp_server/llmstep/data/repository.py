"""The texts of a repository that was traced elsewhere: where in its files the steps of a theorem stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from llmstep.lean.commands import find_commands
from llmstep.lean.declaration import Declaration, find_declaration
from llmstep.lean.layout import Layout
from llmstep.lean.text import mask


@attrs.frozen
class Steps:
    """A theorem in a file."""

    text: str
    """The whole file, with LF line breaks."""
    masked: str
    declaration: Declaration

    def places(self) -> dict[str, list[int]]:
        """Offsets of the steps by their text, whose white space is single blanks; each list ascends."""
        declaration = self.declaration
        layout = Layout(self.masked, declaration)
        ends = {item.start: item.end for block in layout.blocks for item in block.items}
        found: dict[str, list[int]] = {}
        for start in sorted(ends):
            found.setdefault(" ".join(self.text[start : ends[start]].split()), []).append(start)
        return found


class Repository:
    """A folder of Lean files, each of which is read once.

    Args:
        folder: What the paths of the files begin at.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, tuple[str, str]] = {}
        """Text and masked text by path; empty for what cannot be read."""

    def steps(self, path: str, name: str, start: Any) -> Steps | None:
        """A theorem; None where the file is not there, or another text stands at that place of it.

        Args:
            path: Of the file.
            name: Full name of the theorem.
            start: Line and column of its first character, from 1.
        """
        text, masked = self._read(path)
        line = start[0] if isinstance(start, list) and start and isinstance(start[0], int) else 0
        lines = text.split("\n", line - 1) if line > 0 else []
        if len(lines) < line or not lines:
            return None
        begin = len(text) - len(lines[-1])
        command = next((each for each in find_commands(masked) if each.end > begin), None)
        declaration = find_declaration(masked, command.end) if command else None
        if declaration is None or declaration.name != name:
            return None
        return Steps(text, masked, declaration)

    def _read(self, path: str) -> tuple[str, str]:
        if path not in self._files:
            try:
                text = (self._folder / path).read_bytes().decode("utf-8").replace("\r\n", "\n") if path else ""
            except (OSError, UnicodeDecodeError):
                text = ""
            self._files[path] = text, mask(text)
        return self._files[path]
