"""Lean servers of a session: one for each project, started when needed, stopped when idle, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import attrs
import psutil
import pytest
import pytest_asyncio
from processes import until_gone
from waiting import until, until_busy

from llmstep.errors import CancelledError, LeanNotFoundError, NoGoalError
from llmstep.lean.insertion_points import InsertionPoint, find_insertion_point, find_insertion_points
from llmstep.lean.text import position_at
from llmstep.lean.workspace import LeanWorkspace
from llmstep.settings import CheckSettings, LeanSettings, Settings
from llmstep.types import Check, Goal, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="module")]

TEXT = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  constructor\n  · exact hp\n  ‸\n"
CONTEXT = "p q : Prop\nhp : p\nhq : q\n"
RIGHT = Goal(f"case right\n{CONTEXT}⊢ q")
LOOP = "repeat (first | skip | exact hq)"


def place(text: str) -> tuple[str, InsertionPoint]:
    plain = text.replace("‸", "")
    point = find_insertion_point(plain, position_at(plain, text.index("‸")))
    assert point is not None
    return plain, point


PLAIN, SITE = place(TEXT)


@pytest.fixture(scope="module")
def settings(lean_command: tuple[str, ...]) -> Settings:
    return Settings(
        lean=LeanSettings(command=lean_command, timeout_seconds=120, open_files=8),
        check=CheckSettings(timeout_seconds=20),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workspace(settings: Settings) -> AsyncIterator[LeanWorkspace]:
    workspace = LeanWorkspace(settings)
    yield workspace
    await workspace.close()


def project(folder: Path, *, marker: str = "lean-toolchain") -> Path:
    (folder / "Some").mkdir(parents=True)
    (folder / marker).write_text("leanprover/lean4:v4.35.0\n", encoding="utf-8")
    return folder


async def test_goal_and_checks(workspace: LeanWorkspace, tmp_path: Path) -> None:
    uri = (tmp_path / "A.lean").as_uri()
    goal = await workspace.goal(uri, PLAIN, SITE)
    assert goal == RIGHT
    results: list[tuple[int, Check]] = []
    checks = await workspace.check(
        uri, PLAIN, SITE, ["exact hp", "exact hq", "have k := hq"], lambda *result: results.append(result)
    )
    assert [check.verdict for check in checks] == [Verdict.INVALID, Verdict.CLOSES, Verdict.PROGRESS]
    assert checks[0].message == "Type mismatch hp has type p but is expected to have type q"
    assert checks[2].goals == ("case right\np q : Prop\nhp : p\nhq k : q\n⊢ q",)
    assert results == list(enumerate(checks))


async def test_the_first_place_with_a_goal(workspace: LeanWorkspace, tmp_path: Path) -> None:
    """Behind a bullet that is finished, the goal is found outside of it; an unfinished one keeps it."""
    uri = (tmp_path / "A.lean").as_uri()
    for bullet, column in (("exact hp", 2), ("have k := hp", 4)):
        text = f"theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  constructor\n  · {bullet}‸\n"
        plain = text.replace("‸", "")
        points = find_insertion_points(plain, position_at(plain, text.index("‸")))
        point, goal = await workspace.locate(uri, plain, points)
        assert point.column == column
        assert goal.text.endswith("⊢ q" if column == 2 else "⊢ p")
    plain, point = place("theorem t (p : Prop) (hp : p) : p := by\n  exact hp‸\n")
    with pytest.raises(NoGoalError, match="All goals are accomplished"):
        await workspace.locate(uri, plain, [point])
    with pytest.raises(NoGoalError, match="There is no goal here"):
        await workspace.locate(uri, plain, [])


async def test_one_server_for_each_project_and_one_for_the_rest(settings: Settings, tmp_path: Path) -> None:
    first, second = project(tmp_path / "first"), project(tmp_path / "second", marker="lakefile.toml")
    files = [first / "A.lean", first / "Some" / "B.lean", second / "C.lean", tmp_path / "D.lean"]
    (tmp_path / "loose").mkdir()
    files += [tmp_path / "loose" / "E.lean", tmp_path / "loose" / "new" / "folder" / "F.lean"]
    workspace = LeanWorkspace(settings)
    try:
        assert workspace.servers() == []
        for file in files:
            assert await workspace.goal(file.as_uri(), PLAIN, SITE) == RIGHT
        servers = {info.root: info for info in workspace.servers()}
        assert set(servers) == {first, second, tmp_path}
        uris = {root: {each.uri for each in info.processes if each.role == "worker"} for root, info in servers.items()}
        assert uris == {
            first: {files[0].as_uri(), files[1].as_uri()},
            second: {files[2].as_uri()},
            tmp_path: {file.as_uri() for file in files[3:]},
        }
        assert all(each.rss_bytes > 10_000_000 for info in servers.values() for each in info.processes)
        processes = [psutil.Process(each.pid) for info in servers.values() for each in info.processes]
    finally:
        await workspace.close()
    assert workspace.servers() == []
    await until_gone(processes)


async def test_few_files_stay_open(settings: Settings, tmp_path: Path) -> None:
    workspace = LeanWorkspace(attrs.evolve(settings, lean=attrs.evolve(settings.lean, open_files=2)))
    uris = [(tmp_path / f"{name}.lean").as_uri() for name in "ABC"]
    try:
        for uri in (*uris, uris[1]):
            await workspace.goal(uri, PLAIN, SITE)
        [info] = workspace.servers()
        assert {each.uri for each in info.processes if each.role == "worker"} == set(uris[1:])
        [check] = await workspace.check(uris[0], PLAIN, SITE, ["exact hq"])
        assert check.verdict is Verdict.CLOSES
        [info] = workspace.servers()
        assert {each.uri for each in info.processes if each.role == "worker"} == {uris[0], uris[1]}
    finally:
        await workspace.close()


async def test_an_idle_server_stops_and_the_next_call_starts_another(settings: Settings, tmp_path: Path) -> None:
    uri = (tmp_path / "A.lean").as_uri()
    workspace = LeanWorkspace(attrs.evolve(settings, lean=attrs.evolve(settings.lean, idle_minutes=0.5 / 60)))
    try:
        await workspace.goal(uri, PLAIN, SITE)
        [info] = workspace.servers()
        await until_gone([psutil.Process(info.processes[0].pid)])
        await until(lambda: workspace.servers() == [])
        [check] = await workspace.check(uri, PLAIN, SITE, ["exact hq"])
        assert check.verdict is Verdict.CLOSES
    finally:
        await workspace.close()


async def test_a_server_in_use_is_not_idle(settings: Settings, tmp_path: Path) -> None:
    uri = (tmp_path / "A.lean").as_uri()
    workspace = LeanWorkspace(
        attrs.evolve(
            settings,
            lean=attrs.evolve(settings.lean, idle_minutes=0.3 / 60),
            check=attrs.evolve(settings.check, timeout_seconds=4),
        )
    )
    try:
        checks = await workspace.check(uri, PLAIN, SITE, [LOOP, "exact hq"])
        assert [check.verdict for check in checks] == [Verdict.UNCHECKED, Verdict.CLOSES]
    finally:
        await workspace.close()


async def test_a_server_that_was_killed_is_started_again(workspace: LeanWorkspace, tmp_path: Path) -> None:
    uri = (tmp_path / "A.lean").as_uri()
    await workspace.goal(uri, PLAIN, SITE)
    for info in workspace.servers():
        for each in info.processes:
            if each.role == "watchdog":
                os.kill(each.pid, signal.SIGKILL)
    text = PLAIN.replace("theorem t", "theorem killed")
    point = find_insertion_point(text, position_at(text, text.rindex("  ") + 2))
    assert point is not None
    assert await workspace.goal(uri, text, point) == RIGHT
    [check] = await workspace.check(uri, text, point, ["exact hq"])
    assert check.verdict is Verdict.CLOSES


async def test_cancelling_a_check_leaves_the_rest_untouched(workspace: LeanWorkspace, tmp_path: Path) -> None:
    uri = (tmp_path / "A.lean").as_uri()
    results: list[int] = []
    first_came = asyncio.Event()

    def on_result(index: int, check: Check) -> None:
        results.append(index)
        first_came.set()

    task = asyncio.create_task(workspace.check(uri, PLAIN, SITE, ["exact  hq", LOOP, "assumption"], on_result))
    await first_came.wait()
    await until_busy(*(each.pid for info in workspace.servers() for each in info.processes if each.role == "worker"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert results == [0]
    edited = PLAIN.replace("hq", "hqq").replace("theorem t", "theorem edited")
    point = find_insertion_point(edited, position_at(edited, edited.rindex("  ") + 2))
    assert point is not None
    checks = await workspace.check(uri, edited, point, ["exact hq", "exact hqq"])
    assert [check.verdict for check in checks] == [Verdict.INVALID, Verdict.CLOSES]


async def test_a_goal_does_not_wait_for_all_checks_of_the_file(workspace: LeanWorkspace, tmp_path: Path) -> None:
    """Two uses of one file take turns, candidate by candidate, and both get what belongs to their own text."""
    uri = (tmp_path / "A.lean").as_uri()
    other, point = place("theorem other (p : Prop) (hp : p) : p := by\n  ‸\n")
    candidates = [f"have k{number} := hq" for number in range(6)]
    running = asyncio.create_task(workspace.check(uri, PLAIN, SITE, candidates))
    await asyncio.sleep(0)
    goal = await workspace.goal(uri, other, point)
    assert goal == Goal("p : Prop\nhp : p\n⊢ p")
    assert {check.verdict for check in await running} == {Verdict.PROGRESS}


async def test_other_settings_start_other_servers(settings: Settings, tmp_path: Path) -> None:
    uri = (tmp_path / "A.lean").as_uri()
    workspace = LeanWorkspace(settings)
    try:
        await workspace.goal(uri, PLAIN, SITE)
        [before] = workspace.servers()
        workspace.store.change(attrs.evolve(settings, model="other"))
        assert workspace.servers() == [before] or workspace.servers()[0].command == before.command
        workspace.store.change(attrs.evolve(settings, check=attrs.evolve(settings.check, max_heartbeats=1234)))
        await workspace.goal(uri, PLAIN, SITE)
        [after] = workspace.servers()
        assert "-DmaxHeartbeats=1234" in after.command
        assert after.processes[0].pid != before.processes[0].pid
        processes = [psutil.Process(each.pid) for each in after.processes]
        await workspace.restart()
        assert workspace.servers() == []
        await until_gone(processes)
    finally:
        await workspace.close()


async def test_heartbeats_limit_a_candidate(settings: Settings, tmp_path: Path) -> None:
    """The limit that Lean itself sets is an error of the candidate, not a wait for the time limit."""
    workspace = LeanWorkspace(attrs.evolve(settings, check=attrs.evolve(settings.check, max_heartbeats=100)))
    plain, point = place("theorem t (p q r s : Prop) (h : p ∧ q ∧ r ∧ s) : s ∧ r ∧ q ∧ p := by\n  ‸\n")
    try:
        uri = (tmp_path / "A.lean").as_uri()
        steps = "\n".join(f"have k{number} : s ∧ r ∧ q ∧ p := by simp_all" for number in range(60))
        costly, cheap = await workspace.check(uri, plain, point, [steps, "constructor"])
        assert costly.verdict is Verdict.INVALID
        assert "maximum number of heartbeats (100)" in costly.message
        assert cheap.verdict is Verdict.PROGRESS
    finally:
        await workspace.close()


async def test_no_lean(tmp_path: Path) -> None:
    workspace = LeanWorkspace(Settings(lean=LeanSettings(command=("no-such-lean", "--server"))))
    with pytest.raises(LeanNotFoundError, match="no-such-lean"):
        await workspace.goal((tmp_path / "A.lean").as_uri(), PLAIN, SITE)
    assert workspace.servers() == []
    await workspace.close()
    with pytest.raises(CancelledError):
        await workspace.goal((tmp_path / "A.lean").as_uri(), PLAIN, SITE)
