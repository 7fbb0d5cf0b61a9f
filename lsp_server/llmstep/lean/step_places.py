"""Where the characters of a step stand in its shadow document, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.lean.step import inserted
from llmstep.lean.text import offset_at

if TYPE_CHECKING:
    from llmstep.lean.insertion_point import ShadowText


class StepPlaces:
    """The step's text is that which an edit inserts, without the indentation of its place (`inserted`)."""

    def __init__(self, shadow: ShadowText, candidate: str) -> None:
        self.step = inserted(candidate)
        begin, self._end = offset_at(shadow.text, shadow.start), offset_at(shadow.text, shadow.end)
        rows = shadow.text[begin : self._end].split("\n")
        self._lines: list[tuple[int, int, int]] = []
        """Of each line: its first character but blanks in the step, the same in the document, and their number."""
        at, seen = 0, begin
        for line, row in zip(self.step.split("\n"), rows, strict=False):
            bare = line.lstrip(" ")
            first = at + len(line) - len(bare)
            self._lines.append((first, seen + len(row) - len(row.lstrip(" ")), len(bare)))
            at += len(line) + 1
            seen += len(row) + 1

    def in_step(self, offset: int) -> int | None:
        """The offset in the step of one in the document; None outside of it."""
        for own, shown, length in self._lines:
            if shown <= offset <= shown + length:
                return own + offset - shown
        return None

    def in_document(self, offset: int) -> int:
        """The offset in the document of one in the step."""
        found = self._lines[0]
        for line in self._lines:
            if line[0] <= offset:
                found = line
        return found[1] + offset - found[0]
