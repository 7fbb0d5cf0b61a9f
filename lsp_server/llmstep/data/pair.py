"""Training pairs, what a source of them gave, and JSONL files of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import attrs

from llmstep.json_lines import read_lines
from llmstep.whole_file import whole_file

Part = Literal["train", "valid", "test"]

_GIVEN_UP = re.compile(r"(?<![\w.'])(?:sorry|admit)(?![\w'])")


@attrs.frozen
class Pair:
    """A tactic state as Lean prints it, and the tactic that was run there."""

    goal: str
    """All goals, main first, joined by blank lines."""
    tactic: str
    theorem: str
    """Full name of the theorem, or what stands for it: pairs of one theorem never come into different parts."""
    part: Part | None = None
    """The part of the data that it belongs to, where the source says so."""
    file: str = attrs.field(default="", repr=False)
    """The text of the file with the step, with LF line breaks, shared by its pairs; empty where it is not known."""
    at: int = 0
    """Offset of the step's first character in `file`."""

    @property
    def file_context(self) -> str:
        """What stands before the step in its file; empty where it is not known."""
        return self.file[: self.at]


@attrs.define
class Found:
    """The pairs of a source, and how much was left out for which reason."""

    pairs: list[Pair] = attrs.field(factory=list)
    left_out: Counter[str] = attrs.field(factory=Counter)

    def add(self, pair: Pair, max_length: int) -> None:
        """Takes a pair, unless no model should learn it.

        Args:
            max_length: Most characters of a tactic.
        """
        reason = unfit(pair.goal, pair.tactic, max_length)
        if reason:
            self.left_out[reason] += 1
        else:
            self.pairs.append(pair)

    def extend(self, other: Found) -> None:
        """Takes everything of another source."""
        self.pairs += other.pairs
        self.left_out += other.left_out


def unfit(goal: str, tactic: str, max_length: int) -> str:
    """Why a pair is no example of a step; empty when it is one."""
    if "⊢" not in goal:
        return "steps without a goal"
    if not tactic.strip():
        return "empty steps"
    if _GIVEN_UP.search(tactic):
        return "steps with sorry"
    if len(tactic) > max_length:
        return f"steps longer than {max_length} characters"
    return ""


@attrs.frozen
class _Line:
    goal: str
    tactic: str
    theorem: str = ""
    file_context: str = ""


def jsonl_pairs(file: Path, max_length: int) -> Found:
    """The pairs of a file; one without a theorem counts as a theorem of its own, named by its goal.

    Raises:
        RequestError: The file cannot be read, or a line is no pair; the line is named.
    """
    found = Found()
    for _, line in read_lines(file, _Line, "pair", '{"goal": "...", "tactic": "...", "theorem": "..."}'):
        goal, tactic, before = (
            text.replace("\r\n", "\n") for text in (line.goal.strip(), line.tactic.strip(), line.file_context)
        )
        found.add(Pair(goal, tactic, line.theorem or f"goal {goal}", file=before, at=len(before)), max_length)
    return found


def write_jsonl(file: Path, pairs: Iterable[Pair]) -> None:
    """Writes pairs; the file is whole when it appears."""
    with whole_file(file) as new, new.open("w", encoding="utf-8", newline="\n") as lines:
        for pair in pairs:
            record = {"goal": pair.goal, "tactic": pair.tactic, "theorem": pair.theorem}
            if before := pair.file_context:
                record["file_context"] = before
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")
