"""Workers, servers and Lake that are killed: requests end in one sentence, and the next ones are answered."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest
from lsprotocol.types import Position
from waiting import until

from llmstep.errors import LeanCrashedError
from llmstep.lean.process import marked
from llmstep.lean.project import find_project, server_command
from llmstep.lean.server import LeanServer
from llmstep.settings import CheckSettings, LeanSettings

from .lifecycle import AT, BUSY, GOAL, TEXT, file_of_the_test, mark_of, members, server_of_the_test

pytestmark = [pytest.mark.lean, pytest.mark.usefixtures("quiet")]
server, uri = server_of_the_test, file_of_the_test


async def test_killed_worker_with_a_request_pending(server: LeanServer, uri: str) -> None:
    version = await server.change(uri, TEXT + BUSY)
    assert await server.plain_goal(uri, AT) == GOAL
    pending = asyncio.create_task(server.wait(uri, version))
    assert await server.plain_goal(uri, AT) == GOAL  # which is asked behind it
    (worker,) = members(server, "worker")
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(LeanCrashedError) as caught:
        await pending
    assert caught.value.retryable
    assert caught.value.message == "Lean's worker for this file crashed."
    assert await server.plain_goal(uri, AT) == GOAL, "the same request again is answered"
    assert members(server, "worker") != [worker]
    newer = await server.change(uri, TEXT.replace("hq⟩", "hr⟩"))
    assert newer == version + 1
    assert [found["message"] for found in await server.wait(uri, newer)] == ["Unknown identifier `hr`"]


async def test_killed_worker_with_nothing_pending(server: LeanServer, uri: str) -> None:
    """Lean leaves later requests without an answer until an edit; here the first may fail and the second works."""
    version = await server.change(uri, TEXT)
    await server.wait(uri, version)
    watchdog = server.pid
    for number in range(3):
        (worker,) = members(server, "worker")
        os.kill(worker, signal.SIGKILL)
        if number:  # also when the watchdog knows it
            await until(lambda worker=worker: worker not in members(server, "worker"))  # type: ignore[misc]
        try:
            goals = await server.plain_goal(uri, AT)
        except LeanCrashedError:
            goals = await server.plain_goal(uri, AT)
        assert goals == GOAL
        found = await server.wait(uri, version)
        assert found == []
        assert members(server, "worker") not in ([worker], [])
    assert server.pid == watchdog


async def test_killed_worker_before_an_edit(server: LeanServer, uri: str) -> None:
    """The edit must not be applied to a text that the new worker does not have."""
    await server.wait(uri, await server.change(uri, TEXT))
    os.kill(members(server, "worker")[0], signal.SIGKILL)
    text = "-- 𝔸\n" + TEXT.replace("hq⟩", "hr⟩")
    version = await server.change(uri, text)
    try:
        found = await server.wait(uri, version)
    except LeanCrashedError:
        found = await server.wait(uri, version)
    (error,) = found
    assert error["message"] == "Unknown identifier `hr`"
    assert error["range"]["start"] == {"line": 2, "character": 13}


async def test_other_documents_outlive_a_crash(server: LeanServer, uri: str) -> None:
    other = uri.replace("A.lean", "B.lean")
    await server.wait(uri, await server.change(uri, TEXT))
    await server.wait(other, await server.change(other, TEXT))
    before = {member.uri: member.pid for member in server.processes()}
    os.kill(before[uri], signal.SIGKILL)
    assert await server.plain_goal(other, AT) == GOAL
    assert {member.uri: member.pid for member in server.processes()}[other] == before[other]


async def test_killed_server_with_requests_pending(server: LeanServer, uri: str) -> None:
    other = uri.replace("A.lean", "B.lean")
    version = await server.change(uri, TEXT + BUSY)
    await server.change(other, TEXT)
    assert await server.plain_goal(other, AT) == GOAL
    mark = mark_of(server.pid)
    pending = [
        asyncio.create_task(call) for call in (server.wait(uri, version), server.plain_goal(uri, Position(5, 2)))
    ]
    assert await server.plain_goal(other, AT) == GOAL  # which is asked behind them
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    for error in await asyncio.gather(*pending, return_exceptions=True):
        assert isinstance(error, LeanCrashedError)
        assert error.retryable
        assert error.message.startswith("The Lean server ended by signal 9")
    assert not server.alive
    await until(lambda: marked(mark) == [], failure="the busy worker is left")
    assert await server.plain_goal(other, AT) == GOAL
    assert server.alive
    assert mark_of(server.pid) != mark
    assert [member.uri for member in server.processes()] == ["", other], "documents are opened when they are used"
    assert await server.plain_goal(uri, AT) == GOAL
    assert version == await server.change(uri, TEXT + BUSY), "under the version that the caller knows"


async def test_killed_server_with_nothing_pending(server: LeanServer, uri: str) -> None:
    version = await server.change(uri, TEXT)
    await server.wait(uri, version)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: not server.alive)
    assert server.processes() == []
    newer = await server.change(uri, TEXT.replace("hq⟩", "hr⟩"))
    assert newer == version + 1
    assert [found["message"] for found in await server.wait(uri, newer)] == ["Unknown identifier `hr`"]


@pytest.fixture
def lake_project(lean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Lake project, and a `lake` that does what `lake serve` does: it starts the server as its child."""
    script = f'#!/bin/sh\ntest "$1 $2" = "serve --" || exit 9\nshift 2\n"{lean}" --server "$@"\n'
    lake = tmp_path / "bin" / "lake"
    lake.parent.mkdir()
    lake.write_text(script)
    lake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{lake.parent}{os.pathsep}{os.environ['PATH']}")
    root = tmp_path / "project"
    (root / "Sub").mkdir(parents=True)
    (root / "lakefile.toml").write_text('name = "project"\n')
    return root


async def test_a_lake_project(lake_project: Path) -> None:
    file = lake_project / "Sub" / "A.lean"
    project = find_project(file)
    server = LeanServer(
        server_command(project, LeanSettings(), CheckSettings(max_heartbeats=777)), project.root, timeout=60
    )
    text = "#check nothing\n"
    assert [
        found["message"] for found in await server.wait(file.as_uri(), await server.change(file.as_uri(), text))
    ] == ["Unknown identifier `nothing`"]
    assert [member.role for member in server.processes()] == ["launcher", "watchdog", "worker"]
    commands = [" ".join(psutil.Process(member.pid).cmdline()) for member in server.processes()]
    assert all("-DmaxHeartbeats=777" in command for command in commands)
    assert Path(psutil.Process(server.pid).cwd()) == lake_project
    mark = mark_of(server.pid)
    await server.stop()
    await until(lambda: marked(mark) == [])


async def test_the_death_of_lake_alone(lake_project: Path) -> None:
    """The server behind it may live on; in either case the next calls are answered and all is gone in the end."""
    uri = (lake_project / "A.lean").as_uri()
    project = find_project(lake_project / "A.lean")
    server = LeanServer(server_command(project, LeanSettings(), CheckSettings()), project.root, timeout=60)
    await server.change(uri, TEXT)
    assert await server.plain_goal(uri, AT) == GOAL
    assert server.pid is not None
    launcher, mark = server.pid, mark_of(server.pid)
    os.kill(launcher, signal.SIGKILL)
    await until(lambda: not psutil.pid_exists(launcher))
    assert await server.plain_goal(uri, AT) == GOAL
    assert [member.role for member in server.processes()][-2:] == ["watchdog", "worker"]
    await server.stop()
    await until(lambda: marked(mark) == [])
