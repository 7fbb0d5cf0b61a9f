"""Tables of candidates and verdicts (`lean/cases/`), for all that judges candidates."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

from llmstep.types import Verdict

CASES = Path(__file__).parent / "lean" / "cases"
_CHARACTER = re.compile(r"\\u\{([0-9A-F]+)\}")


@attrs.frozen
class Expected:
    candidate: str
    verdict: Verdict
    rest: str
    """The goals that are left, or the beginning of the message."""


@attrs.frozen
class Case:
    title: str
    flags: frozenset[str]
    text: str
    cursor: int
    expected: tuple[Expected, ...]


def read_table(name: str) -> list[Case]:
    return [_read_case(part) for part in (CASES / name).read_text(encoding="utf-8").split("\n=== ")[1:]]


def _read_case(part: str) -> Case:
    head, _, body = part.rstrip("\n").partition("\n")
    title, _, given = head.partition(" [")
    flags = frozenset(flag.strip() for flag in given.rstrip("]").split(","))
    text, _, lines = body.replace("⇥", "\t").partition("\n---\n")
    text += "" if "no newline" in flags else "\n"
    if "crlf" in flags:
        text = text.replace("\n", "\r\n")
    expected = []
    for line in lines.splitlines():
        candidate, _, answer = line.rpartition(" ==> ")
        verdict, _, rest = answer.partition(" ")
        candidate = _CHARACTER.sub(lambda match: chr(int(match.group(1), 16)), candidate.replace("⏎", "\n"))
        expected.append(Expected(candidate, Verdict(verdict), rest))
    return Case(title, flags, text.replace("‸", ""), text.index("‸"), tuple(expected))
