"""Starts, restarts and ends of a Lean server: nothing hangs and nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from typing import TYPE_CHECKING

import psutil
import pytest
from lsprotocol.types import Position
from waiting import until

from llmstep.errors import CancelledError, LeanError, LeanTimeoutError
from llmstep.lean.process import describe, marked
from llmstep.lean.server import LeanServer

from .lifecycle import AT, BUSY, GOAL, TEXT, file_of_the_test, mark_of, server_of_the_test

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.usefixtures("quiet")]
server, uri = server_of_the_test, file_of_the_test


async def test_a_fault_at_a_message_ends_no_conversation(
    server: LeanServer, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    def faulty(self: LeanServer, method: str, params: object) -> None:
        heard.append(method)
        raise ValueError(method)

    monkeypatch.setattr(LeanServer, "_notified", faulty)
    await server.change(uri, TEXT)
    assert await server.plain_goal(uri, AT) == GOAL
    assert len(set(heard)) > 1


async def test_first_use_starts_the_server_once(server: LeanServer, uri: str) -> None:
    assert not server.alive
    assert server.pid is None
    assert server.processes() == []
    others = [uri.replace("A.lean", f"{number}.lean") for number in range(4)]
    await asyncio.gather(server.start(), *(server.change(other, TEXT) for other in others))
    assert server.alive
    assert [await server.plain_goal(other, AT) for other in others] == [GOAL] * 4
    assert sorted(member.role for member in server.processes()) == ["watchdog", *["worker"] * 4]
    assert {member.pid for member in server.processes()} == {found.pid for found in marked(mark_of(server.pid))}
    assert all(member.rss_bytes > 10_000_000 for member in server.processes())


async def test_it_runs_in_a_session_of_its_own(server: LeanServer) -> None:
    """A Ctrl-C in our terminal goes to our process group, and not to Lean before we can end it in good order."""
    await server.start()
    assert server.pid is not None
    assert os.getpgid(server.pid) == server.pid != os.getpgid(0)
    assert os.getsid(server.pid) != os.getsid(0)


@pytest.mark.parametrize("busy", [False, True])
async def test_stop_leaves_no_process(server: LeanServer, uri: str, busy: bool) -> None:
    version = await server.change(uri, TEXT + (BUSY if busy else ""))
    assert await server.plain_goal(uri, AT) == GOAL
    mark = mark_of(server.pid)
    assert len(marked(mark)) == 2
    pending = asyncio.create_task(server.wait(uri, version)) if busy else None
    assert await server.plain_goal(uri, AT) == GOAL  # which is asked behind it
    await server.stop()
    assert not server.alive
    await until(lambda: marked(mark) == [])
    if pending is not None:
        with pytest.raises(CancelledError, match="The Lean server was stopped"):
            await pending


async def test_a_stopped_server_stays_stopped_until_it_is_started(server: LeanServer, uri: str) -> None:
    await server.change(uri, TEXT)
    await server.stop()
    await server.stop()
    with pytest.raises(CancelledError, match="The Lean server was stopped"):
        await server.change(uri, TEXT)
    assert not server.alive
    await server.start()
    with pytest.raises(LeanError, match="is not open"):
        await server.plain_goal(uri, AT)
    await server.change(uri, TEXT)
    assert await server.plain_goal(uri, AT) == GOAL


async def test_stop_during_the_start(server: LeanServer, uri: str) -> None:
    before = set(psutil.Process().children(recursive=True))

    def new() -> set[psutil.Process]:
        return set(psutil.Process().children(recursive=True)) - before

    for launched in (False, True):
        starting = asyncio.create_task(server.start())
        await asyncio.sleep(0)  # it begins
        while launched and not new():  # noqa: ASYNC110 - at once
            await asyncio.sleep(0)
        started = starting.done()  # while the processes were looked for
        await server.stop()
        if started:
            await starting
        else:
            with pytest.raises((asyncio.CancelledError, CancelledError)):
                await starting
        assert not server.alive
    await until(lambda: {found.role for found in describe(new())} <= {"launcher"})


async def test_a_cancelled_caller_does_not_stop_the_start_for_others(server: LeanServer, uri: str) -> None:
    first = asyncio.create_task(server.start())
    second = asyncio.create_task(server.change(uri, TEXT))
    while server.pid is None:  # noqa: ASYNC110 - then Lean has not said anything yet
        await asyncio.sleep(0)
    first.cancel()
    assert await second == 1
    assert await server.plain_goal(uri, AT) == GOAL
    with pytest.raises(asyncio.CancelledError):
        await first


PARENT = """
import asyncio, json, sys
from pathlib import Path
from llmstep.lean.server import LeanServer

async def main():
    command, root, text = json.loads(sys.argv[1])
    server = LeanServer(command, Path(root), timeout=60)
    version = await server.change(Path(root, "A.lean").as_uri(), text)
    await server.change(Path(root, "B.lean").as_uri(), "example : True := trivial")
    await server.wait(Path(root, "B.lean").as_uri(), 1)
    print(json.dumps([member.pid for member in server.processes()]), flush=True)
    await server.wait(Path(root, "A.lean").as_uri(), version)

asyncio.run(main())
"""


async def test_killed_parent_leaves_no_process(lean_command: tuple[str, ...], tmp_path: Path) -> None:
    """Lean ends by itself when its input does, also while it is busy with a proof."""
    arguments = json.dumps([lean_command, str(tmp_path), BUSY])
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, arguments, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pids = json.loads(await parent.stdout.readline())
    assert len(pids) == 3
    mark = mark_of(pids[0])
    assert {found.pid for found in marked(mark)} == set(pids)
    parent.kill()
    await parent.wait()
    await until(lambda: marked(mark) == [])


async def test_a_cancelled_call_is_cancelled_in_lean(lean_command: tuple[str, ...], tmp_path: Path, uri: str) -> None:
    """What is sent to the real server passes through `tee`, which writes it to the file first."""
    log = tmp_path / "sent"
    server = LeanServer(
        ("/bin/sh", "-c", 'tee /dev/fd/3 3>&1 >"$0" | "$@"', str(log), *lean_command), tmp_path, timeout=60
    )
    version = await server.change(uri, TEXT + BUSY)
    assert await server.plain_goal(uri, AT) == GOAL
    task = asyncio.create_task(server.wait(uri, version))
    await until(lambda: b"waitForDiagnostics" in log.read_bytes())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(LeanTimeoutError):
        await server.plain_goal(uri, Position(6, 2), timeout=0.2)
    mark = mark_of(server.pid)
    await server.stop()
    await until(lambda: marked(mark) == [])
    sent = [json.loads(part.split("\r\n\r\n")[-1].partition("Content-Length")[0]) for part in messages_in(log)]
    asked = [message["id"] for message in sent if message.get("method", "").endswith(("Diagnostics", "plainGoal"))]
    cancelled = [message["params"]["id"] for message in sent if message.get("method") == "$/cancelRequest"]
    assert len(asked) == 3
    assert cancelled == asked[1:], "the answered request is not cancelled, the other two are"
    assert [message["method"] for message in sent[-2:]] == ["shutdown", "exit"]
    replies = {message["id"]: message["result"] for message in sent if "method" not in message}
    assert replies["register_lean_watcher"] is None
    assert set(replies.values()) == {None}, "each request of the server is answered"


def messages_in(log: Path) -> list[str]:
    return re.split(r"Content-Length: \d+\r\n\r\n", log.read_bytes().decode("utf-8"))[1:]
