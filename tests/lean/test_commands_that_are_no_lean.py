"""Commands that do not start a Lean server, each told in one sentence."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from waiting import until

from llmstep.errors import LeanError, LeanNotFoundError, LeanTimeoutError
from llmstep.lean import client
from llmstep.lean.process import MARK, marked
from llmstep.lean.server import LeanServer
from llmstep.settings import LeanSettings

from .lifecycle import TEXT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.usefixtures("quiet")]


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return (tmp_path / "A.lean").as_uri()


async def test_no_such_command(tmp_path: Path, uri: str) -> None:
    server = LeanServer(("lean-that-is-not-there", "--server"), tmp_path, timeout=5)
    for _ in range(2):
        with pytest.raises(LeanNotFoundError) as caught:
            await server.change(uri, TEXT)
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
) -> None:
    marks: list[str] = []
    spawned = asyncio.create_subprocess_exec

    async def spawn(*words: str, **options: Any) -> Any:
        marks.append(options["env"][MARK])
        return await spawned(*words, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn)
    monkeypatch.setattr(client, "PATIENCE", 0.2)
    lean = LeanSettings(start_minutes=2 / 60 if error is LeanTimeoutError else 1)
    server = LeanServer(("/bin/sh", "-c", script), tmp_path, timeout=0.5, lean=lean)
    with pytest.raises(error) as caught:
        await server.start()
    assert re.search(message, caught.value.message)
    assert caught.value.hint
    assert not server.alive
    if error is LeanTimeoutError:
        assert marked(marks[0]), "it goes on starting"
        await server.stop()
    await until(lambda: marked(marks[0]) == [])


async def test_what_the_server_says_on_standard_error_is_kept(lean_command: tuple[str, ...], tmp_path: Path) -> None:
    """Much of it must not block the server, and the last lines are kept."""
    noise = 'i=0; while [ $i -lt 3000 ]; do echo "line $i of a long complaint of the launcher" >&2; i=$((i+1)); done'
    server = LeanServer(("/bin/sh", "-c", f'{noise}; exec "$@"', "sh", *lean_command), tmp_path, timeout=60)
    await server.start()
    await until(lambda: server.stderr and server.stderr[-1].startswith("line 2999 "))
    assert [line.split()[1] for line in server.stderr] == [str(number) for number in range(2950, 3000)]
    await server.stop()
