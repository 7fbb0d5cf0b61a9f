"""What Lean says about candidates: a table of texts, candidates and verdicts, run by the real Lean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from llmstep.lean.checker import FileChecker
from llmstep.lean.server import LeanServer
from llmstep.lean.site import find_site
from llmstep.lean.text import position_at
from llmstep.settings import CheckSettings
from llmstep.types import Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TABLE = Path(__file__).parent / "cases" / "checks.txt"


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


def read_table() -> list[Case]:
    return [read_case(part) for part in TABLE.read_text(encoding="utf-8").split("\n=== ")[1:]]


def read_case(part: str) -> Case:
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
        expected.append(Expected(candidate.replace("⏎", "\n"), Verdict(verdict), rest))
    return Case(title, flags, text.replace("‸", ""), text.index("‸"), tuple(expected))


CASES = read_table()


@pytest.fixture(scope="module")
async def checker(
    lean_command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FileChecker]:
    root = tmp_path_factory.mktemp("checks")
    server = LeanServer((*lean_command, "-DmaxHeartbeats=200000"), root, timeout=60)
    yield FileChecker(server, (root / "Check.lean").as_uri(), CheckSettings(timeout_seconds=2.0), patience=60)
    await server.stop()


def test_the_table_is_large() -> None:
    assert sum(len(case.expected) for case in CASES) >= 60
    assert sum(len(case.expected) for case in CASES if "trap" in case.flags) >= 20


@pytest.mark.lean
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
async def test_verdicts(checker: FileChecker, case: Case) -> None:
    site = find_site(case.text, position_at(case.text, case.cursor))
    assert site is not None
    for expected in case.expected:
        check = await checker.check(case.text, site, expected.candidate)
        targets = " ‖ ".join(goal.splitlines()[-1] for goal in check.goals)
        said = targets if check.verdict in {Verdict.CLOSES, Verdict.PROGRESS} else check.message
        assert (expected.candidate, check.verdict, said[: len(expected.rest) or None]) == (
            expected.candidate,
            expected.verdict,
            expected.rest or said,
        )
        if check.verdict in {Verdict.CLOSES, Verdict.PROGRESS}:
            assert said == expected.rest
