"""What Lean says about candidates: a table of texts, candidates and verdicts, run by the real Lean."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from verdict_cases import Case, read_table
from waiting import until, until_busy

from llmstep.errors import LeanImportsError, LeanTimeoutError, NoGoalError
from llmstep.lean.checker import FileChecker
from llmstep.lean.insertion_points import InsertionPoint, find_insertion_point
from llmstep.lean.process import spinning
from llmstep.lean.server import LeanServer
from llmstep.lean.text import position_at
from llmstep.settings import CheckSettings
from llmstep.types import Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmstep.lean.process import LeanProcess

CASES = read_table("checks.txt")
STEPS = read_table("verdicts.txt")

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="module")]

LOOP = "repeat (first | skip | exact hp)"
"""Runs until it is stopped."""
PATIENT, HASTY = (CheckSettings(timeout_seconds=seconds) for seconds in (30, 2.5))
"""For candidates that end by themselves, on however busy a machine, and for those that do not."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(lean_command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LeanServer]:
    root = tmp_path_factory.mktemp("checks")
    server = LeanServer((*lean_command, "-DmaxHeartbeats=200000"), root, timeout=120)
    yield server
    await server.stop()


@pytest.fixture(scope="module")
def checker(server: LeanServer) -> FileChecker:
    return FileChecker(server, (server.root / "Check.lean").as_uri(), PATIENT, patience=120)


def site_in(text: str, cursor: int) -> InsertionPoint:
    point = find_insertion_point(text, position_at(text, cursor))
    assert point is not None
    return point


async def works(server: LeanServer, checker: FileChecker) -> LeanProcess:
    """The worker of the checker, once it is at work."""
    [worker] = [each for each in server.processes() if each.role == "worker" and each.uri == checker.shadow.uri]
    await until_busy(worker.pid)
    return worker


@pytest.mark.parametrize("cases", [CASES, STEPS], ids=["checks", "verdicts"])
async def test_the_tables_are_large(cases: list[Case]) -> None:
    assert sum(len(case.expected) for case in cases) >= 150
    assert sum(len(case.expected) for case in cases if "trap" in case.flags) >= 90


@pytest.mark.parametrize("case", STEPS, ids=lambda case: case.title)
async def test_what_a_step_may_be(checker: FileChecker, case: Case) -> None:
    point = site_in(case.text, case.cursor)
    for expected in case.expected:
        check = await checker.check(case.text, point, expected.candidate)
        said = check.message[: len(expected.rest)]
        wanted = (expected.candidate, expected.verdict, expected.rest)
        assert (expected.candidate, check.verdict, said) == wanted, check.message


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
async def test_verdicts(checker: FileChecker, case: Case) -> None:
    point = site_in(case.text, case.cursor)
    for expected in case.expected:
        checker.settings = HASTY if expected.verdict is Verdict.UNCHECKED else PATIENT
        check = await checker.check(case.text, point, expected.candidate)
        checker.settings = PATIENT
        targets = " ‖ ".join(goal.splitlines()[-1] for goal in check.goals)
        accepted = check.verdict in {Verdict.CLOSES, Verdict.PROGRESS}
        said = targets if accepted else check.message[: len(expected.rest)]
        wanted = (expected.candidate, expected.verdict, expected.rest)
        assert (expected.candidate, check.verdict, said) == wanted, check.message


async def test_the_report_has_all_errors_of_the_final_answer(server: LeanServer) -> None:
    """What a verdict stands on comes before Lean has finished its index; no error and no `sorry` may come later."""
    uri = (server.root / "Report.lean").as_uri()
    for case in CASES[::3]:
        point = site_in(case.text, case.cursor)
        for expected in case.expected[:4]:
            if expected.verdict is Verdict.UNCHECKED:
                continue
            version = await server.change(uri, point.shadow(case.text, expected.candidate))
            report, whole = await server.settled(uri, version), await server.wait(uri, version)
            assert [told(each) for each in report if each["severity"] == 1] == [
                told(each) for each in whole if each["severity"] == 1
            ]
            assert ("sorry" in str(report)) == ("sorry" in str(whole))


def told(diagnostic: dict[str, object]) -> tuple[object, object]:
    return diagnostic["range"], diagnostic["message"]


TEXT = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  constructor\n  sorry\n"
SITE = site_in(TEXT, TEXT.index("sorry"))


async def test_what_is_known_is_not_asked_again(checker: FileChecker, server: LeanServer) -> None:
    text = TEXT.replace("theorem t", "theorem known")  # nothing of it is known yet
    point = site_in(text, text.index("sorry"))
    first = await checker.check(text, point, "exact hp")
    await checker.check(text, point, "exact hq")
    uri = checker.shadow.uri
    before = await server.change(uri, point.shadow(text, "exact hq"))
    again = await checker.check(text + "\ntheorem below : True := trivial\n", point, "exact  hp")
    assert await checker.check(text, point, "exact  hp") is again
    version = await server.change(uri, point.shadow(text, "exact hq"))
    assert version == before + 3  # two for the check, one for this edit
    assert await checker.check(text, point, "exact hp") is first
    assert await server.change(uri, point.shadow(text, "exact hq")) == version


async def test_compiled_code_proves_where_the_user_says_so(checker: FileChecker) -> None:
    text = "theorem compiled : 2 + 2 = 4 ∧ 1 = 1 := by\n  sorry\n"
    point = site_in(text, text.index("sorry"))
    settings = CheckSettings(timeout_seconds=30, allow_native_decide=True)
    trusting = FileChecker(checker.shadow.server, checker.shadow.uri, settings, patience=120)
    assert (await trusting.check(text, point, "native_decide")).verdict is Verdict.CLOSES
    assert (await trusting.check(text, point, "constructor; decide +native")).verdict is Verdict.PROGRESS
    assert (await trusting.check(text, point, "exact sorryAx _")).verdict is Verdict.INVALID


async def test_proofs_that_cannot_be_stopped(server: LeanServer) -> None:
    """Compiled code does not heed an edit: the worker is replaced before it is blocked, and none keeps computing."""
    text = (
        "partial def loop (n : Nat) : Nat := loop (n + 1)\n"
        "theorem x (p : Prop) (hp : p) : loop 0 = 5 ∧ p := by\n  constructor\n  sorry\n"
    )
    point = site_in(text, text.index("sorry"))
    settings = CheckSettings(timeout_seconds=1, allow_native_decide=True)
    trusting = FileChecker(server, (server.root / "Unstoppable.lean").as_uri(), settings, patience=120)
    for _ in range(3):
        assert (await trusting.check(text, point, "native_decide")).message == "no answer within 1 s"
    trusting.settings = PATIENT
    asked = asyncio.create_task(trusting.check(text, point, "skip"))
    await asyncio.sleep(0.3)
    asked.cancel()  # while Lean is waited for: the next one waits on
    assert (await trusting.check(text, point, "skip")).message == "It leaves the goals as they were."
    [worker] = [each for each in server.processes() if each.uri == trusting.shadow.uri]
    assert not await spinning(worker.pid)
    await trusting.close()


async def test_a_slow_text_above_is_waited_for_in_several_questions(server: LeanServer) -> None:
    """Lean goes on between them: a worker that gets on is not replaced, whether or not the text changes."""
    slow = "".join(f"def slow{number} : True := by\n  sleep 800\n  trivial\n" for number in range(8))
    text = f"{slow}theorem t (p : Prop) (hp : p) : p := by\n  sorry\n"
    hasty = FileChecker(server, (server.root / "Slow.lean").as_uri(), PATIENT, patience=1)
    for number in range(60):
        asked = text + "\n" * (number % 2)
        try:
            check = await hasty.check(asked, site_in(asked, asked.index("sorry")), "exact hp")
            break
        except LeanTimeoutError:
            continue
    assert check.verdict is Verdict.CLOSES
    await hasty.close()


async def test_no_verdict_is_not_remembered(checker: FileChecker) -> None:
    """A candidate that was too slow once is judged when it is asked for again."""
    text = TEXT.replace("theorem t", "theorem slow")
    point = site_in(text, text.index("sorry"))
    hasty = FileChecker(checker.shadow.server, checker.shadow.uri, CheckSettings(timeout_seconds=0.1), patience=120)
    await hasty.baseline(text, point)
    check = await hasty.check(text, point, LOOP)
    assert (check.verdict, check.message) == (Verdict.UNCHECKED, "no answer within 0.1 s")
    hasty.settings = CheckSettings(timeout_seconds=30)
    assert (await hasty.check(text, point, "exact hp")).verdict is Verdict.CLOSES
    hasty.settings = CheckSettings(timeout_seconds=0.5)
    assert (await hasty.check(text, point, LOOP)).message == "no answer within 0.5 s"


async def test_cancelling_stops_lean_and_leaves_the_document_usable(checker: FileChecker, server: LeanServer) -> None:
    checker.settings = CheckSettings(timeout_seconds=12)
    try:
        await checker.baseline(TEXT, SITE)
        await checker.check(TEXT, SITE, "exact (hp)")
        task = asyncio.create_task(checker.check(TEXT, SITE, LOOP))
        await works(server, checker)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not checker.busy
        assert (await checker.check(TEXT, SITE, "exact hp; exact hp")).verdict is Verdict.INVALID
        assert (await checker.check(TEXT, SITE, "(exact hp)")).verdict is Verdict.CLOSES
    finally:
        checker.settings = PATIENT


async def test_a_crash_is_tried_again(checker: FileChecker, server: LeanServer) -> None:
    checker.settings = CheckSettings(timeout_seconds=5)
    try:
        await checker.baseline(TEXT, SITE)
        task = asyncio.create_task(checker.check(TEXT, SITE, LOOP))
        worker = await works(server, checker)
        os.kill(worker.pid, signal.SIGKILL)
        assert (await task).message == "no answer within 5 s"
        assert (await checker.check(TEXT, SITE, "((exact hp))")).verdict is Verdict.CLOSES
    finally:
        checker.settings = PATIENT


async def test_a_closed_document_opens_again(checker: FileChecker) -> None:
    await checker.check(TEXT, SITE, "exact hp")
    await checker.close()
    assert not checker.is_open
    assert (await checker.check(TEXT, SITE, "constructor")).verdict is Verdict.INVALID
    assert checker.is_open


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "theorem t (p : Prop) (hp : p) : p := by\n  exact hp\n  ‸",
            "All goals are accomplished here.",
            "Put the cursor",
        ),
        (
            "theorem t (p : Prop) (hp : p) : p := by\n  exact foo\n  ‸",
            "There is no goal here: an earlier step or the file's header fails.",
            "Lean reports at line 2: Unknown identifier `foo`",
        ),
        (
            "theorem t (p : Prop) (hp : p) : p := by\n  have k := (hp\n  exact ⟨hp, ‸sorry⟩\n",
            "There is no goal here: an earlier step or the file's header fails.",
            "Lean reports at line 2: ",
        ),
    ],
)
async def test_no_goal(checker: FileChecker, text: str, message: str, hint: str) -> None:
    plain = text.replace("‸", "")
    with pytest.raises(NoGoalError) as caught:
        await checker.baseline(plain, site_in(plain, text.index("‸")))
    assert caught.value.message == message
    assert caught.value.hint.startswith(hint)


async def test_an_import_that_is_nowhere(checker: FileChecker) -> None:
    text = "import Nowhere\ntheorem t (p : Prop) (hp : p) : p := by\n  sorry\n"
    point = find_insertion_point(text, position_at(text, text.index("sorry")))
    assert point is not None
    with pytest.raises(LeanImportsError) as caught:
        await checker.baseline(text, point)
    assert caught.value.message == "Lean cannot read an import of this file: unknown module prefix 'Nowhere'."
    assert caught.value.hint.startswith("The file is in no Lake project: ")


async def test_the_report_of_a_new_document_is_the_final_answer(server: LeanServer) -> None:
    """While Lean reads the imports, its signs look like those of a document that is done."""
    uri = (server.root / "New.lean").as_uri()
    text = "import Nowhere\ntheorem t (p : Prop) : p := by\n  exact foo\n"
    for _ in range(2):
        report = await server.settled(uri, await server.change(uri, text))
        assert [each["severity"] for each in report] == [1]
        await server.close(uri)
    report = await server.settled(uri, await server.change(uri, text.partition("\n")[2]))
    assert [each["message"] for each in report if each["severity"] == 1] == ["Unknown identifier `foo`"]
    await server.close(uri)


async def test_a_worker_that_dies_unseen_costs_no_verdict(checker: FileChecker, server: LeanServer) -> None:
    """The candidate is then the first text of a new worker, and still judged right."""
    await checker.check(TEXT, SITE, "exact hp")
    [worker] = [each for each in server.processes() if each.role == "worker" and each.uri == checker.shadow.uri]
    os.kill(worker.pid, signal.SIGKILL)
    await until(lambda: worker.pid not in [each.pid for each in server.processes()])
    assert (await checker.check(TEXT, SITE, "exact hq -- 1")).verdict is Verdict.INVALID
    assert (await checker.check(TEXT, SITE, "exact (hp : p)")).verdict is Verdict.CLOSES
