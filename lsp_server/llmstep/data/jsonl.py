"""Pairs from JSONL files, one `{"goal", "tactic", "theorem"?, "file_context"?}` a line, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llmstep.data.pair import Found, Pair
from llmstep.errors import RequestError
from llmstep.whole_file import whole_file


def jsonl_pairs(file: Path, max_length: int) -> Found:
    """The pairs of a file; one without a theorem counts as a theorem of its own, named by its goal.

    Raises:
        RequestError: The file cannot be read, or a line is no pair; the line is named.
    """
    found = Found()
    try:
        lines = file.read_text(encoding="utf-8").split("\n")  # not splitlines: U+2028 is no end of a record
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{file} cannot be read: {error}.", hint="Give a JSONL file in UTF-8.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        record = _record(line)
        goal, tactic, theorem = (record.get(key) for key in ("goal", "tactic", "theorem"))
        before = record.get("file_context") or ""
        texts = (goal, tactic, before)
        if not all(isinstance(text, str) for text in texts) or not isinstance(theorem, str | None):
            raise RequestError(
                f"Line {number} of {file} is no pair.",
                hint='Each line has the form {"goal": "...", "tactic": "...", "theorem": "..."}, with texts alone.',
            )
        goal, tactic, before = (str(text).replace("\r\n", "\n") for text in texts)
        name = theorem or f"goal {goal.strip()}"
        found.add(Pair(goal.strip(), tactic.strip(), name, file=before, at=len(before)), max_length)
    return found


def write_jsonl(file: Path, pairs: Iterable[Pair]) -> None:
    """Writes pairs; the file is whole when it appears."""
    with whole_file(file) as new, new.open("w", encoding="utf-8", newline="\n") as lines:
        for pair in pairs:
            record = {"goal": pair.goal, "tactic": pair.tactic, "theorem": pair.theorem}
            if before := pair.file_context:
                record["file_context"] = before
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
