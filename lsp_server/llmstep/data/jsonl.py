"""Pairs from JSONL files, one `{"goal", "tactic", "theorem"?, "file_context"?}` a line, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import attrs

from llmstep.data.pair import Found, Pair
from llmstep.json_lines import read_lines
from llmstep.whole_file import whole_file


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
