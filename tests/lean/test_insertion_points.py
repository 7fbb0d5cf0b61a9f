"""Where a candidate goes: a table of texts with a cursor, candidates and resulting texts, each run by the real Lean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from lsprotocol.types import Diagnostic, DiagnosticSeverity, Position
from site_cases import Case, read_table

from llmstep.errors import NoGoalError
from llmstep.lean.checker import FileChecker
from llmstep.lean.insertion_points import InsertionKind, find_insertion_point, find_insertion_points
from llmstep.lean.server import LeanServer
from llmstep.lean.text import offset_at, position_at, range_at
from llmstep.settings import CheckSettings
from llmstep.types import Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CASES = read_table()
PLACES = [case for case in CASES if "none" not in case.flags]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(lean_command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LeanServer]:
    server = LeanServer(lean_command, tmp_path_factory.mktemp("sites"), timeout=120)
    yield server
    await server.stop()


def test_the_table_is_large_and_its_titles_differ() -> None:
    assert len(PLACES) >= 80
    assert len({case.title for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", PLACES, ids=lambda case: case.title)
def test_the_candidate_goes_there(case: Case) -> None:
    point = find_insertion_point(case.text, case.cursor, case.diagnostics)
    assert point is not None
    assert point.apply(case.text, case.candidate) == case.result


@pytest.mark.parametrize("case", [case for case in CASES if "none" in case.flags], ids=lambda case: case.title)
def test_there_is_no_place(case: Case) -> None:
    assert find_insertion_points(case.text, case.cursor, case.diagnostics) == []


@pytest.mark.lean
@pytest.mark.asyncio(loop_scope="module")
async def test_lean_accepts_the_results(server: LeanServer) -> None:
    """Each in the same document, so that only what differs is elaborated again."""
    refused: dict[str, list[str]] = {}
    for case in PLACES:
        if "open" in case.flags:
            continue
        uri = (server.root / "Result.lean").as_uri()
        diagnostics = await server.wait(uri, await server.change(uri, case.result))
        if errors := [each["message"] for each in diagnostics if each["severity"] == 1]:
            refused[case.title] = errors
    assert refused == {}


@pytest.mark.lean
@pytest.mark.asyncio(loop_scope="module")
async def test_the_shadow_document_says_the_same(server: LeanServer) -> None:
    """Where Lean accepts the whole result, the candidate is accepted at the end of the text up to it, too."""
    checker = FileChecker(server, (server.root / "Shadow.lean").as_uri(), CheckSettings(timeout_seconds=30), 120)
    refused: dict[str, str] = {}
    for case in PLACES:
        if "open" in case.flags:
            continue
        point = find_insertion_point(case.text, case.cursor, case.diagnostics)
        assert point is not None
        try:
            check = await checker.check(case.text, point, case.candidate)
        except NoGoalError as error:
            refused[case.title] = str(error)
            continue
        if check.verdict not in {Verdict.CLOSES, Verdict.PROGRESS}:
            refused[case.title] = check.message
    assert refused == {}


@pytest.mark.lean
@pytest.mark.asyncio(loop_scope="module")
async def test_anchors_give_the_goals_in_the_text_itself(server: LeanServer) -> None:
    """A client that asks its own Lean at the first anchor with goals gets those that our shadow document gives."""
    checker = FileChecker(server, (server.root / "Shadow.lean").as_uri(), CheckSettings(), 120)
    uri = (server.root / "User.lean").as_uri()
    others: dict[str, list[str] | None] = {}
    asked = 0
    for case in PLACES:
        point = find_insertion_point(case.text, case.cursor, case.diagnostics)
        assert point is not None
        if "open" in case.flags or not point.anchors:
            continue
        try:
            baseline = await checker.baseline(case.text, point)
        except NoGoalError as error:
            others[case.title] = [str(error)]
            continue
        await server.wait(uri, await server.change(uri, case.text))
        goals = None
        for anchor in point.anchors:
            goals = goals or await server.plain_goal(uri, anchor)
        asked += 1
        if tuple(goals or ()) != baseline.goals:
            others[case.title] = goals
    assert others == {"blank line with a tab": None}  # Lean refuses the whole text for its tab
    assert asked >= 50


@pytest.mark.parametrize(
    ("call", "prefix"),
    [
        ("llmstep", ""),
        ('llmstep ""', ""),
        ('llmstep "simp [h"', "simp [h"),
        (r'llmstep "exact \"a\\b\" "', r'exact "a\b" '),
        (r'llmstep "x\x41\u2115\n\t"', "xAℕ\n\t"),
        ('llmstep"rw"', "rw"),
    ],
)
def test_the_prefix_of_a_call(call: str, prefix: str) -> None:
    text = f"theorem t : True := by\n  {call}\n"
    point = find_insertion_point(text, Position(line=1, character=4))
    assert point is not None
    assert (point.kind, point.prefix) == (InsertionKind.CALL, prefix)
    assert point.apply(text, "trivial") == "theorem t : True := by\n  trivial\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("theorem t : True := by‸", "t"),
        ("namespace A.B\nsection C\ntheorem D.t : True := by‸", "A.B.D.t"),
        ("namespace A\nend A\nlemma t : True := by‸", "t"),
        ("namespace A\nnamespace B\nend B\nnoncomputable section\nend\ntheorem t : True := by‸", "A.t"),
        ("namespace A.B\nend B\n@[simp]\nprivate theorem «a b».c : True := by‸", "A.«a b».c"),
        ("namespace A\nmutual\ntheorem t : True := by‸\nend", "A.t"),
        ("namespace A\ntheorem _root_.B.t : True := by‸", "B.t"),
        ("namespace A\n-- end A\n/- end A -/ theorem t.{u} (α : Sort u) : α = α := by‸", "A.t"),
        ("namespace A\nexample : True := by‸", ""),
        ("instance : Inhabited Nat := by‸", ""),
        ("instance (priority := low) name : Inhabited Nat := by‸", "name"),
        ("@[simp, reducible] protected def A.b : Nat := by‸", "A.b"),
    ],
)
def test_the_name_of_the_declaration(text: str, name: str) -> None:
    point = find_insertion_point(text.replace("‸", ""), position_at(text, text.index("‸")))
    assert point is not None
    assert point.declaration.name == name


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("theorem t : p := by\n  constructor\n  · exact hp\n    ‸", [4, 2]),
        ("theorem t : p := by\n  constructor\n  · exact hp\n  ‸", [2, 4]),
        ("theorem t : p := by\n  constructor\n  · exact hp‸", [4, 2]),
        ("theorem t : p := by\n  constructor\n  · constructor\n    · exact hp‸", [6, 4, 2]),
        ("theorem t : p := by\n  constructor\n  · exact hp‸\n    exact hq", [4]),
        ("theorem t : p := by\n  have h : p := by\n    exact hp‸\n", [4, 2]),
        ("theorem t : p := by\n  have h : p := by exact hp‸\n", [2]),
    ],
)
def test_places_that_may_be_meant_too(text: str, columns: list[int]) -> None:
    plain = text.replace("‸", "")
    points = [each for each in find_insertion_points(plain, position_at(plain, text.index("‸"))) if not each.mends]
    assert [len(point.apply(plain, "X").split("X")[0].splitlines()[-1]) for point in points] == columns


@pytest.mark.parametrize(
    ("text", "written", "prefix"),
    [
        ("theorem t : p := by\n  exact foo.bar‸\n", "exact foo.bar", "exact foo.bar"),
        ("theorem t : p := by\n  constructor\n  · rw [h]‸\n", "rw [h]", ""),
        ("theorem t : p := by\n  exact foo.b‸ar\n", "exact foo.bar", "exact foo.bar"),
    ],
)
def test_a_step_that_may_fail_is_replaced_last_or_first(text: str, written: str, prefix: str) -> None:
    """Only Lean knows whether it fails: the editor tells of an error in it, or there is no goal behind it."""
    plain = text.replace("‸", "")
    cursor = position_at(plain, text.index("‸"))
    start = plain.index(written)
    points = find_insertion_points(plain, cursor)
    assert [(plain[each.start : each.end], each.prefix) for each in points if each.mends] == [(written, prefix)]
    assert not points[0].mends
    error = Diagnostic(range_at(plain, start + 3, start + 5), "unknown identifier", DiagnosticSeverity.Error)
    told = find_insertion_points(plain, cursor, [error])[0]
    assert (plain[told.start : told.end], told.prefix, told.mends) == (written, prefix, False)
    warning = Diagnostic(error.range, error.message, DiagnosticSeverity.Warning)
    assert find_insertion_points(plain, cursor, [warning]) == points


def test_any_position_in_any_text_has_a_sensible_answer() -> None:
    """Also in texts that are cut off anywhere: edits stay in the text and keep what is around them."""
    for case in PLACES[::4]:
        for cut in range(0, len(case.text) + 1, 5):
            text = case.text[:cut]
            for offset in range(0, cut + 1, 7):
                for point in find_insertion_points(text, position_at(text, offset)):
                    assert 0 <= point.start <= point.end <= len(text)
                    shadow = point.shadow_text(text, "skip")
                    assert shadow.text.startswith(text[: point.start])
                    assert shadow.text[offset_at(shadow.text, shadow.start) :].startswith("skip")


def test_the_key_of_a_place_survives_edits_below_it_only() -> None:
    text = "theorem t : p := by\n  constructor\n  sorry\n\ntheorem u : p := by\n  simp\n"
    point = find_insertion_point(text, Position(line=2, character=2))
    assert point is not None
    key = point.key(text)
    assert point.key(text.replace("simp", "skip")) == key
    assert point.key(text.replace("constructor", "exact hp")) != key
    assert point.key(point.apply(text, "exact hp")) != key
    behind = find_insertion_point(text, Position(line=1, character=13))
    assert behind is not None
    assert behind.key(behind.apply(text, "skip")) != behind.key(text)


def test_inside_a_step_that_ends_an_inner_proof_its_own_goal_is_tried_before_the_one_behind() -> None:
    text = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  have h : q := by\n    exact hq\n  exact ⟨hp, h⟩\n"
    points = find_insertion_points(text, position_at(text, text.index("act hq")))
    kinds = [point.kind for point in points if not point.mends]
    assert kinds == [InsertionKind.AFTER, InsertionKind.BEFORE, InsertionKind.AFTER]
