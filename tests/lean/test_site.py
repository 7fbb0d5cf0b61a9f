"""Where a candidate goes: a table of texts with a cursor, candidates and resulting texts, each run by the real Lean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from lsprotocol.types import Diagnostic, Position

from llmstep.lean.server import LeanServer
from llmstep.lean.site import Site, SiteKind, find_site, find_sites
from llmstep.lean.text import offset_at, position_at, range_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TABLE = Path(__file__).parent / "cases" / "sites.txt"


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


CASES = read_table()
PLACES = [case for case in CASES if "none" not in case.flags]


@pytest.fixture(scope="module")
async def server(lean_command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LeanServer]:
    server = LeanServer(lean_command, tmp_path_factory.mktemp("sites"), timeout=60)
    yield server
    await server.stop()


def test_the_table_is_large_and_its_titles_differ() -> None:
    assert len(PLACES) >= 70
    assert len({case.title for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", PLACES, ids=lambda case: case.title)
def test_the_candidate_goes_there(case: Case) -> None:
    site = find_site(case.text, case.cursor, case.diagnostics)
    assert site is not None
    assert site.apply(case.text, case.candidate) == case.result


@pytest.mark.parametrize("case", [case for case in CASES if "none" in case.flags], ids=lambda case: case.title)
def test_there_is_no_place(case: Case) -> None:
    assert find_sites(case.text, case.cursor, case.diagnostics) == []


@pytest.mark.lean
@pytest.mark.asyncio(loop_scope="module")
async def test_lean_accepts_the_results(server: LeanServer) -> None:
    """Each in the same document, so that only what differs is elaborated again."""
    refused: dict[str, list[str]] = {}
    for case in PLACES:
        if "open" in case.flags:
            continue
        uri = (server.root / "Site.lean").as_uri()
        diagnostics = await server.wait(uri, await server.change(uri, case.result))
        if errors := [each["message"] for each in diagnostics if each["severity"] == 1]:
            refused[case.title] = errors
    assert refused == {}
