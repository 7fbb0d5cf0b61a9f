"""Starts, crashes, restarts and ends of a Lean server: nothing hangs and nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import pytest_asyncio
from lsprotocol.types import Position
from waiting import until

from llmstep.errors import CancelledError, LeanCrashedError, LeanError, LeanNotFoundError, LeanTimeoutError
from llmstep.lean import output
from llmstep.lean.process import MARK, describe, marked
from llmstep.lean.project import find_project, server_command
from llmstep.lean.server import LeanServer
from llmstep.lean.starting import ServerOptions
from llmstep.settings import CheckSettings, LeanSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.lean, pytest.mark.usefixtures("quiet")]

TEXT = "theorem both (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  exact ⟨hp, hq⟩\n"
GOAL = ["p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"]
AT = Position(1, 2)
BUSY = (
    "set_option maxHeartbeats 0 in\nset_option maxRecDepth 1000000 in\ntheorem slow : True := by\n"
    "  iterate 1000000 (first | (have : 1 = 1 := rfl; clear this) | skip)\n  trivial\n"
)


@pytest_asyncio.fixture
async def server(lean_command: tuple[str, ...], tmp_path: Path) -> AsyncIterator[LeanServer]:
    server = LeanServer(lean_command, tmp_path, timeout=60)
    yield server
    await server.stop()


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return (tmp_path / "A.lean").as_uri()


def mark_of(pid: int | None) -> str:
    """The mark that all processes of this server carry."""
    return psutil.Process(pid).environ()[MARK]


def members(server: LeanServer, role: str) -> list[int]:
    return [member.pid for member in server.processes() if member.role == role]


async def test_first_use_starts_the_server_once(server: LeanServer, uri: str) -> None:
    assert not server.alive
    assert server.pid is None
    assert server.processes() == []
    others = [uri.replace("A.lean", f"{number}.lean") for number in range(4)]
    await asyncio.gather(server.start(), *(server.open(other, TEXT) for other in others))
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
    version = await server.open(uri, TEXT + (BUSY if busy else ""))
    assert await server.plain_goal(uri, AT) == GOAL
    mark = mark_of(server.pid)
    assert len(marked(mark)) == 2
    pending = asyncio.create_task(server.wait(uri, version)) if busy else None
    assert await server.plain_goal(uri, AT) == GOAL  # which is asked behind it
    await server.stop()
    assert marked(mark) == []
    assert not server.alive
    if pending is not None:
        with pytest.raises(CancelledError, match="The Lean server was stopped"):
            await pending


async def test_a_stopped_server_stays_stopped_until_it_is_started(server: LeanServer, uri: str) -> None:
    await server.open(uri, TEXT)
    await server.stop()
    await server.stop()
    with pytest.raises(CancelledError, match="The Lean server was stopped"):
        await server.open(uri, TEXT)
    assert not server.alive
    await server.start()
    with pytest.raises(LeanError, match="is not open"):
        await server.plain_goal(uri, AT)
    await server.open(uri, TEXT)
    assert await server.plain_goal(uri, AT) == GOAL


async def test_stop_during_the_start(server: LeanServer, uri: str) -> None:
    for delay in (0, 0.01, 0.1):
        starting = asyncio.create_task(server.start())
        await asyncio.sleep(delay)
        started = delay > 0 and starting.done()  # a quick machine needs less than a tenth of a second
        await server.stop()
        if started:
            await starting
        else:
            with pytest.raises((asyncio.CancelledError, CancelledError)):
                await starting
        assert not server.alive
    mine = {child.pid for child in psutil.Process().children(recursive=True)}
    assert [found for found in describe(map(psutil.Process, mine)) if found.role != "launcher"] == []


async def test_a_cancelled_caller_does_not_stop_the_start_for_others(server: LeanServer, uri: str) -> None:
    first = asyncio.create_task(server.start())
    second = asyncio.create_task(server.open(uri, TEXT))
    while server.pid is None:  # noqa: ASYNC110 - then Lean has not said anything yet
        await asyncio.sleep(0)
    first.cancel()
    assert await second == 1
    assert await server.plain_goal(uri, AT) == GOAL
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_killed_worker_with_a_request_pending(server: LeanServer, uri: str) -> None:
    version = await server.open(uri, TEXT + BUSY)
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
    version = await server.open(uri, TEXT)
    await server.wait(uri, version)
    watchdog = server.pid
    for number in range(3):
        (worker,) = members(server, "worker")
        os.kill(worker, signal.SIGKILL)
        await asyncio.sleep(0.2 * number)
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
    await server.wait(uri, await server.open(uri, TEXT))
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
    await server.wait(uri, await server.open(uri, TEXT))
    await server.wait(other, await server.open(other, TEXT))
    before = {member.uri: member.pid for member in server.processes()}
    os.kill(before[uri], signal.SIGKILL)
    assert await server.plain_goal(other, AT) == GOAL
    assert {member.uri: member.pid for member in server.processes()}[other] == before[other]


async def test_killed_server_with_requests_pending(server: LeanServer, uri: str) -> None:
    other = uri.replace("A.lean", "B.lean")
    version = await server.open(uri, TEXT + BUSY)
    await server.open(other, TEXT)
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
    assert marked(mark) == [], "the busy worker is gone too"
    assert await server.plain_goal(other, AT) == GOAL
    assert server.alive
    assert mark_of(server.pid) != mark
    assert [member.uri for member in server.processes()] == ["", other], "documents are opened when they are used"
    assert await server.plain_goal(uri, AT) == GOAL
    assert version == await server.open(uri, TEXT + BUSY), "under the version that the caller knows"


async def test_killed_server_with_nothing_pending(server: LeanServer, uri: str) -> None:
    version = await server.open(uri, TEXT)
    await server.wait(uri, version)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: not server.alive)
    assert server.processes() == []
    newer = await server.change(uri, TEXT.replace("hq⟩", "hr⟩"))
    assert newer == version + 1
    assert [found["message"] for found in await server.wait(uri, newer)] == ["Unknown identifier `hr`"]


PARENT = """
import asyncio, json, sys
from pathlib import Path
from llmstep.lean.server import LeanServer
from llmstep.lean.starting import ServerOptions

async def main():
    command, root, text = json.loads(sys.argv[1])
    server = LeanServer(command, Path(root), timeout=60)
    version = await server.open(Path(root, "A.lean").as_uri(), text)
    await server.open(Path(root, "B.lean").as_uri(), "example : True := trivial")
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


async def test_no_such_command(tmp_path: Path, uri: str) -> None:
    server = LeanServer(("lean-that-is-not-there", "--server"), tmp_path, timeout=5)
    for _ in range(2):
        with pytest.raises(LeanNotFoundError) as caught:
            await server.open(uri, TEXT)
        assert caught.value.message == "The program lean-that-is-not-there was not found."
        assert "elan" in caught.value.hint
    assert not server.alive
    await server.stop()


async def test_a_command_that_cannot_be_run(tmp_path: Path) -> None:
    (tmp_path / "lean").write_text("no program")
    with pytest.raises(LeanError, match=r"lean cannot be run: Permission denied\."):
        await LeanServer((str(tmp_path / "lean"),), tmp_path, timeout=5).start()


async def test_no_such_folder(lean_command: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(LeanError, match=re.escape(f"The folder {tmp_path / 'gone'} does not exist.")):
        await LeanServer(lean_command, tmp_path / "gone", timeout=5).start()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo first >&2; echo 'error: toolchain not installed' >&2; echo >&2; exit 1",
         "ended with exit status 1: error: toolchain not installed"),
        ("exit 3", "ended with exit status 3."),
        ("kill -9 $$", "ended by signal 9."),
    ],
)  # fmt: skip
async def test_a_command_that_ends_at_once(tmp_path: Path, script: str, message: str) -> None:
    server = LeanServer(("/bin/sh", "-c", script), tmp_path, timeout=60)
    for _ in range(2):
        with pytest.raises(LeanError) as caught:
            await server.start()
        assert type(caught.value) is LeanError
        assert caught.value.message.startswith(f"The command `/bin/sh -c {script}` ended")
        assert caught.value.message.endswith(message)
        assert str(tmp_path) in caught.value.hint
    assert not server.alive


def answering(result: str) -> str:
    """A shell script that answers its first request with a result."""
    body = f'{{"jsonrpc": "2.0", "id": "llmstep-1", "result": {result}}}'
    return f"read -r line; printf 'Content-Length: {len(body)}\\r\\n\\r\\n{body}'; exec sleep 100"


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        ("exec sleep 100", LeanTimeoutError, r"^Lean is still starting after 2 seconds\. It has said nothing\.$"),
        (
            "echo 'info: downloading component' >&2; exec sleep 100",
            LeanTimeoutError,
            r"^Lean is still starting after 2 seconds\. It said last: info: downloading component$",
        ),
        (
            "while read line; do echo '{\"nonsense'; done",
            LeanError,
            r"`.*` prints text instead of a Lean server's messages: \{\"nonsense$",
        ),
        (
            "yes | tr -d '\\n'",
            LeanError,
            r"` prints text instead of a Lean server's messages: \(a line without an end\)$",
        ),
        ("exec cat", LeanError, r"` is no Lean server: it answers `initialize` with an error: Method Not Found"),
        (answering("null"), LeanError, r"` is no Lean server: its answer to `initialize` has no capabilities\.$"),
        (
            answering('{"capabilities": {}, "serverInfo": {"name": "pyright"}}'),
            LeanError,
            r"` is no Lean server but pyright\.$",
        ),
        ("exec <&-; exec sleep 100", LeanError, r"` closed its input\.$"),
        ("exec >&-; exec sleep 100", LeanError, r"` closed its output\.$"),
        (
            "echo \"error: unknown configuration option 'server.reportDelayMs'\" >&2; exit 1",
            LeanError,
            r"` does not know the option server\.reportDelayMs: the project's Lean is older than 4\.8, ",
        ),
    ],
)
async def test_a_command_that_is_no_lean(
    tmp_path: Path,
    script: str,
    error: type[LeanError],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("ERROR", "pygls")  # `cat` sends us our own request, which pygls finds worth a warning
    marks: list[str] = []
    spawned = asyncio.create_subprocess_exec

    async def spawn(*words: str, **options: Any) -> Any:
        marks.append(options["env"][MARK])
        return await spawned(*words, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn)
    monkeypatch.setattr(output, "PATIENCE", 0.2)
    start = 2.0 if error is LeanTimeoutError else 60
    server = LeanServer(("/bin/sh", "-c", script), tmp_path, timeout=0.5, options=ServerOptions(start_seconds=start))
    with pytest.raises(error) as caught:
        await server.start()
    assert re.search(message, caught.value.message)
    assert caught.value.hint
    assert not server.alive
    if error is LeanTimeoutError:
        assert marked(marks[0]), "it goes on starting"
        await server.stop()
    await until(lambda: marked(marks[0]) == [])


async def test_a_cancelled_call_is_cancelled_in_lean(lean_command: tuple[str, ...], tmp_path: Path, uri: str) -> None:
    """What is sent to the real server passes through `tee`."""
    log = tmp_path / "sent"
    server = LeanServer(("/bin/sh", "-c", 'tee "$0" | "$@"', str(log), *lean_command), tmp_path, timeout=60)
    version = await server.open(uri, TEXT + BUSY)
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
    assert marked(mark) == []
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
    assert [found["message"] for found in await server.wait(file.as_uri(), await server.open(file.as_uri(), text))] == [
        "Unknown identifier `nothing`"
    ]
    assert [member.role for member in server.processes()] == ["launcher", "watchdog", "worker"]
    commands = [" ".join(psutil.Process(member.pid).cmdline()) for member in server.processes()]
    assert all("-DmaxHeartbeats=777" in command for command in commands)
    assert Path(psutil.Process(server.pid).cwd()) == lake_project
    mark = mark_of(server.pid)
    await server.stop()
    assert marked(mark) == []


async def test_the_death_of_lake_alone(lake_project: Path) -> None:
    """The server behind it may live on; in either case the next calls are answered and all is gone in the end."""
    uri = (lake_project / "A.lean").as_uri()
    project = find_project(lake_project / "A.lean")
    server = LeanServer(server_command(project, LeanSettings(), CheckSettings()), project.root, timeout=60)
    await server.open(uri, TEXT)
    assert await server.plain_goal(uri, AT) == GOAL
    assert server.pid is not None
    launcher, mark = server.pid, mark_of(server.pid)
    os.kill(launcher, signal.SIGKILL)
    await until(lambda: not psutil.pid_exists(launcher))
    assert await server.plain_goal(uri, AT) == GOAL
    assert [member.role for member in server.processes()][-2:] == ["watchdog", "worker"]
    await server.stop()
    assert marked(mark) == []


async def test_what_the_server_says_on_standard_error_is_kept(lean_command: tuple[str, ...], tmp_path: Path) -> None:
    """Much of it must not block the server, and the last lines are kept."""
    noise = 'i=0; while [ $i -lt 3000 ]; do echo "line $i of a long complaint of the launcher" >&2; i=$((i+1)); done'
    server = LeanServer(("/bin/sh", "-c", f'{noise}; exec "$@"', "sh", *lean_command), tmp_path, timeout=60)
    await server.start()
    await until(lambda: server.stderr and server.stderr[-1].startswith("line 2999 "))
    assert [line.split()[1] for line in server.stderr] == [str(number) for number in range(2950, 3000)]
    await server.stop()
