"""The endpoint inside the server's process, other wires, and that nothing is left behind however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
from client import SECONDS, Editor, editor
from gated import LOADING, Gate
from lsprotocol import types
from ports import free_port
from processes import until_gone, words
from pygls.exceptions import JsonRpcException
from test_suggest import AND
from waiting import until

from llmstep.errors import RequestError
from llmstep.lsp.setup import create_session
from llmstep.lsp.transport import run_tcp, run_ws

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llmstep.lsp.session import Session

pytestmark = pytest.mark.lean


async def health(port: int) -> Any:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        with contextlib.suppress(httpx.TransportError):
            return (await http.get(f"http://127.0.0.1:{port}/health")).json()
    return None


async def until_healthy(port: int) -> Any:
    return await until(lambda: health(port))


async def test_the_tactics_endpoint_and_a_second_window(folder: Path, options: dict[str, Any]) -> None:
    """The first server answers over HTTP with the model of its editor; the second waits, and takes over."""
    port = free_port()
    own = {**options, "http": {"port": port}}
    async with editor(folder, options=own) as first:
        assert (await until_healthy(port))["name"] == "llmstep"
        await first.until(lambda: any(f"answered at http://127.0.0.1:{port}" in line for line in first.logs))
        assert (await first.execute("llmstep.status"))["http"] == f"http://127.0.0.1:{port}"
        async with editor(folder, options=own) as second:
            await second.until(lambda: any("another llmstep answers" in line for line in second.logs))
            async with httpx.AsyncClient(trust_env=False, timeout=SECONDS) as http:
                question = {"tactic_state": "p : Prop\nh : p\n⊢ p", "prefix": "exact", "context": ""}
                answer = (await http.post(f"http://127.0.0.1:{port}", json=question)).json()
            assert answer["suggestions"]
            assert all(text.startswith("exact") for text in answer["suggestions"])
            assert answer["model"] == "starter"
            await first.until(lambda: first.statuses[-1].lastMs)  # the model of the first has worked
            assert await first.leave() == 0
            await second.until(lambda: any("answered at" in line for line in second.logs))
            assert (await until_healthy(port))["status"] == "ok"
    assert await health(port) is None


async def test_a_port_of_another_program_is_left_alone(folder: Path, options: dict[str, Any]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        async with editor(folder, options={**options, "http": {"port": port}}) as made:
            line = await made.until(lambda: next((line for line in made.logs if "no HTTP endpoint" in line), None))
            assert f"Port {port}" in line
            assert made.messages == []
            page = made.open(folder / "A.lean", AND)
            assert await page.actions(page.at("sorry"))


async def at_work(folder: Path, options: dict[str, Any], gate: Gate) -> tuple[Editor, list[psutil.Process]]:
    """A server whose model is at work, and the Lean processes that it has started."""
    gate.shut()
    made = await Editor().start(folder, options=options, program=gate.program)
    assert made.process is not None
    page = made.open(folder / "A.lean", AND)
    argument = {"textDocument": {"uri": page.uri}, "position": page.at("sorry")}
    params = types.ExecuteCommandParams("llmstep.suggest", [argument])
    _, run = made.request(types.WORKSPACE_EXECUTE_COMMAND, params)
    run.add_done_callback(lambda done: done.cancelled() or done.exception())
    await gate.reached()
    children = psutil.Process(made.process.pid).children(recursive=True)
    assert any("--worker" in words(child) for child in children)
    return made, children


async def test_nothing_is_left_when_the_editor_has_died(folder: Path, options: dict[str, Any], tmp_path: Path) -> None:
    made, children = await at_work(folder, options, Gate(tmp_path))
    assert made.process
    assert made.process.stdin
    made.process.stdin.close()
    assert await made.ended() == 1
    await until_gone(children)


@pytest.mark.parametrize(("end", "status"), [(signal.SIGTERM, 1), (signal.SIGKILL, -signal.SIGKILL)])
async def test_nothing_is_left_when_the_server_is_ended(
    folder: Path, options: dict[str, Any], end: signal.Signals, status: int
) -> None:
    """Without a model: only Lean runs."""
    made = await Editor().start(folder, options={**options, "model": str(folder / "no-such-model")})
    assert made.process
    page = made.open(folder / "A.lean", AND)
    with pytest.raises(JsonRpcException) as caught:
        await page.suggest(page.at("sorry"))
    assert caught.value.data["code"].startswith("model")
    children = psutil.Process(made.process.pid).children(recursive=True)
    assert any("--worker" in words(child) for child in children)
    made.process.send_signal(end)
    assert await made.ended() == status
    await until_gone(children)


async def test_leaving_while_the_model_loads(folder: Path, options: dict[str, Any], tmp_path: Path) -> None:
    gate = Gate(tmp_path, LOADING)
    gate.shut()
    made = await Editor().start(folder, options=options, program=gate.program)
    page = made.open(folder / "A.lean", AND)
    argument = {"textDocument": {"uri": page.uri}, "position": page.at("sorry")}
    made.request(types.WORKSPACE_EXECUTE_COMMAND, types.ExecuteCommandParams("llmstep.suggest", [argument]))
    await gate.reached()
    await made.until(lambda: made.statuses[-1].state == "loading")
    assert await made.leave() == 0


async def test_only_the_protocol_reaches_stdout(folder: Path, options: dict[str, Any]) -> None:
    """What a library prints, from Python or below, goes to stderr."""
    program = (
        "import os, sys\nfrom llmstep.lsp import setup\n"
        "def noisy(ls, params):\n    print('from Python', flush=True)\n    os.write(1, b'from below')\n"
        "setup.code_actions.code_actions = noisy\nsys.argv = ['llmstep', 'lsp']\n"
        "from llmstep.cli import main\nmain()\n"
    )
    made = Editor()
    await made.client.start_io(sys.executable, "-c", program, cwd=folder)
    made.adopt()
    await made.introduce(folder, options=options)
    page = made.open(folder / "A.lean", AND)
    assert await page.actions(page.at("sorry")) == []
    assert await page.hints() == []
    assert await made.leave() == 0
    assert b"from Python" in made.stderr
    assert b"from below" in made.stderr


@pytest.mark.parametrize("wire", ["tcp", "ws"])
async def test_other_wires(folder: Path, options: dict[str, Any], wire: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "llmstep", "lsp", f"--{wire}", "127.0.0.1:0", stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    line = (await asyncio.wait_for(process.stderr.readline(), SECONDS)).decode()
    match = re.fullmatch(rf"llmstep: listening at {wire}://127\.0\.0\.1:(\d+)\n", line)
    assert match, line
    made = Editor()
    connect = made.client.start_tcp if wire == "tcp" else made.client.start_ws
    await connect("127.0.0.1", int(match[1]))
    await made.introduce(folder, options=options)
    page = made.open(folder / "A.lean", AND)
    assert await page.actions(page.at("sorry"))
    await asyncio.wait_for(made.client.shutdown_async(None), SECONDS)
    made.client.exit(None)
    assert await asyncio.wait_for(process.wait(), SECONDS) == 0
    await made.disconnect()


@pytest.mark.parametrize("run", [run_tcp, run_ws])
def test_other_machines_cannot_connect(run: Callable[[Session, str, int], int]) -> None:
    with pytest.raises(RequestError, match="other machines reach it"):
        run(create_session(), "0.0.0.0", 0)
