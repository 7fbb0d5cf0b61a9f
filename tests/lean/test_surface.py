"""What a text looks like beside its words changes no place and no goal: line breaks, a byte order mark, blanks, tabs.

Every case of the table of places is tried in each form, by text; and by Lean in all forms at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs
import pytest
import pytest_asyncio
from site_cases import Case, read_table

from llmstep.errors import NoGoalError
from llmstep.lean.checker import FileChecker
from llmstep.lean.insertion_points import InsertionPoint, find_insertion_points
from llmstep.lean.server import LeanServer
from llmstep.lean.text import offset_at, position_at, range_at
from llmstep.settings import CheckSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

CURSOR, ERROR = "‸", "†"
_LINE_END = re.compile(rf"(?<=[^\s{CURSOR}{ERROR}])\r?\n")
_NAME = re.compile(rf"(?<![\w.'])(?<!\w{CURSOR})h?[a-z](?![\w']|{CURSOR}\w)")
_COMMENT = " -- a\tb"


def two_units(text: str) -> str:
    """One-letter names, and hypotheses named after them, in letters that take two units of UTF-16 and one column."""
    return _NAME.sub(lambda name: "".join(chr(0x1D4EA + ord(letter) - ord("a")) for letter in name.group()), text)


FORMS: dict[str, Callable[[str], str]] = {
    "line breaks of two characters": lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n"),
    "a byte order mark": lambda text: "\ufeff" + text,
    "blanks at line ends": lambda text: _LINE_END.sub(lambda end: "  " + end.group(), text),
    "tabs in comments": lambda text: _LINE_END.sub(lambda end: _COMMENT + end.group(), text),
    "no newline at the end": lambda text: text.rstrip("\r\n"),
    "names of two units": two_units,
}


def all_forms(text: str) -> str:
    """Every form at once."""
    for form in ("names of two units", "blanks at line ends", "line breaks of two characters", "a byte order mark"):
        text = FORMS[form](text)
    return text


CASES = [
    case
    for case in read_table()
    if not case.flags & {"none", "crlf", "no newline"} and not case.text.startswith("\ufeff")
]


def changed(case: Case, form: Callable[[str], str]) -> Case:
    """The case in another form, its cursor and its diagnostic at the same places."""

    def at(offset: int, mark: str) -> tuple[str, int]:
        text = form(case.text[:offset] + mark + case.text[offset:])
        return text.replace(mark, ""), text.index(mark)

    text, cursor = at(offset_at(case.text, case.cursor), CURSOR)
    diagnostics = []
    for each in case.diagnostics:
        _, place = at(offset_at(case.text, each.range.start), ERROR)
        diagnostics.append(attrs.evolve(each, range=range_at(text, place, place + 2)))
    return attrs.evolve(case, text=text, cursor=position_at(text, cursor), diagnostics=tuple(diagnostics))


def plain(text: str) -> str:
    """A text without what the forms add."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace(_COMMENT, "").split("\n")
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")


def points(case: Case) -> list[InsertionPoint]:
    return find_insertion_points(case.text, case.cursor, case.diagnostics)


@pytest.mark.parametrize("form", FORMS)
def test_a_candidate_goes_to_the_same_place(form: str) -> None:
    others = {}
    names = two_units if form == "names of two units" else str
    for case in CASES:
        found = points(changed(case, FORMS[form]))
        result = plain(found[0].apply(changed(case, FORMS[form]).text, names(case.candidate))) if found else ""
        if result != names(plain(case.result)):
            others[case.title] = result
    assert others == {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def checker(
    lean_command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FileChecker]:
    server = LeanServer(lean_command, tmp_path_factory.mktemp("surface"), timeout=120)
    yield FileChecker(server, (server.root / "Surface.lean").as_uri(), CheckSettings(timeout_seconds=30), 120)
    await server.stop()


async def goal(checker: FileChecker, case: Case) -> str:
    for point in points(case):
        try:
            return (await checker.baseline(case.text, point)).goals[0]
        except NoGoalError:
            continue
    return ""


@pytest.mark.lean
@pytest.mark.asyncio(loop_scope="module")
async def test_lean_has_the_same_goal(checker: FileChecker) -> None:
    others = {}
    tried = 0
    for case in CASES[::2]:
        wanted, found = await goal(checker, case), await goal(checker, changed(case, all_forms))
        tried += bool(wanted)
        # A name that Lean makes up keeps its own letters.
        if plain(found).replace("x✝", two_units("x") + "✝") != two_units(plain(wanted)):
            others[case.title] = (wanted, found)
    assert others == {}
    assert tried >= 60
