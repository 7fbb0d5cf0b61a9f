"""The table of places: texts with a cursor, a candidate, and the text that results."""

from __future__ import annotations

from pathlib import Path

import attrs
from lsprotocol.types import Diagnostic, Position

from llmstep.lean.text import position_at, range_at

TABLE = Path(__file__).parent / "lean" / "cases" / "sites.txt"


@attrs.frozen
class Case:
    title: str
    flags: frozenset[str]
    text: str
    cursor: Position
    diagnostics: tuple[Diagnostic, ...]
    candidate: str
    result: str


def read_table() -> list[Case]:
    return [read_case(part) for part in TABLE.read_text(encoding="utf-8").split("\n=== ")[1:]]


def read_case(part: str) -> Case:
    head, _, body = part.rstrip("\n").partition("\n")
    title, _, given = head.partition(" [")
    flags = {flag.strip() for flag in given.rstrip("]").split(",")} - {""}
    if body.endswith("\n[open]"):
        body, flags = body.removesuffix("\n[open]"), flags | {"open"}
    text, candidate, result = [*body.replace("⇥", "\t").split("\n---\n"), "", ""][:3]
    text, result = (each if "no newline" in flags else each + "\n" for each in (text, result))
    if "crlf" in flags:
        text, result = (each.replace("\n", "\r\n") for each in (text, result))
    plain, cursor, place = take_marks(text)
    diagnostics = ()
    if place >= 0:
        message = "unsolved goals\np : Prop\n⊢ p"
        diagnostics = (Diagnostic(range=range_at(plain, place, place + 2), message=message),)
    return Case(title, frozenset(flags), plain, position_at(plain, cursor), diagnostics, candidate, result)


def take_marks(text: str) -> tuple[str, int, int]:
    """The text without ‸ and †, and where they stood; † is optional."""
    place = text.replace("‸", "").find("†")
    plain = text.replace("†", "")
    return plain.replace("‸", ""), plain.index("‸"), place
