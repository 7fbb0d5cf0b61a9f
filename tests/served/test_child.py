"""Servers that misbehave, as scripts in place of `vllm serve`: what is said, and that nothing hangs or stays."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from typing import TYPE_CHECKING

import attrs
import pytest
from processes import runs, until_gone
from waiting import until

from llmstep.engine.remote import connection
from llmstep.engine.served import launches
from llmstep.engine.served.child import Child, Launch
from llmstep.errors import CancelledError, LlmstepError, ModelLoadError, RemoteError, SettingsError
from llmstep.types import Goal, PromptInput, SamplingParams

from .conftest import engine_for, guards

if TYPE_CHECKING:
    from pathlib import Path

ASK = PromptInput(Goal("p : Prop\n⊢ p → p"))
SAMPLING = SamplingParams(2, 0.7, 1.0, 16, 3)

SERVER = """
import http.server, json, os, sys
port = int(sys.argv[sys.argv.index("--port") + 1])
name = sys.argv[sys.argv.index("--served-model-name") + 1]
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def give(self, body, status=200):
        body = json.dumps(body).encode()
        self.send_response(status); self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def do_GET(self):
        if self.headers.get("Authorization") != "Bearer " + os.environ["VLLM_API_KEY"]:
            return self.give({}, 401)
        self.give({"data": [{"id": name}]})
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        AT_REQUEST
        choice = {"text": "intro h", "finish_reason": "stop", "logprobs": {"token_logprobs": [-0.5]}}
        self.give({"choices": [{**choice, "index": i} for i in range(asked["n"])]})
AT_START
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def script(folder: Path, start: str = "", post: str = "") -> tuple[str, ...]:
    """A server that does `start` before it listens, and `post` at each request."""
    text = SERVER.replace("AT_START", start).replace("AT_REQUEST", textwrap.indent(post, " " * 8).strip() or "pass")
    path = folder / "server.py"
    path.write_text(text)
    return (sys.executable, str(path))


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.01)


async def test_a_server_that_talks_much_and_starts_slowly(tmp_path: Path) -> None:
    """Nobody reads a pipe that is full but we."""
    command = script(tmp_path, "import time; time.sleep(1.2); print('x' * 3_000_000)", "print('y' * 1_000_000)")
    said: list[str] = []
    async with engine_for("starter", command, engine="vllm") as engine:
        answers = await asyncio.gather(
            *(engine.generate(ASK, SAMPLING, progress=lambda each: said.append(each.message)) for _ in range(3))
        )
        assert {each.candidates[0].text for each in answers} == {"intro h"}
        assert answers[0].model == engine.status.model == "starter"
        assert "Starting vLLM with starter (1 s)" in said


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("print('loading'); sys.exit('ValueError: bad shape.')", "(status 1): ValueError: bad shape."),
        ("print('RuntimeError: out of memory'); print('bye'); sys.exit(3)", "(status 3): RuntimeError: out of memory."),
        ("print('key ' + os.environ['VLLM_API_KEY'] + ' failed'); sys.exit(1)", "(status 1): key … failed."),
        ("import signal; os.kill(os.getpid(), signal.SIGKILL)", "(status 137)."),
    ],
)
async def test_a_server_that_ends_before_it_listens(tmp_path: Path, start: str, message: str) -> None:
    async with engine_for("starter", script(tmp_path, start), engine="vllm") as engine:
        for _ in range(2):
            with pytest.raises(ModelLoadError) as caught:
                await engine.generate(ASK, SAMPLING)
            assert caught.value.message == f"vLLM could not start with starter {message}"
        assert engine.status.state == "empty"
        script(tmp_path)  # it is looked at anew
        assert (await engine.generate(ASK, SAMPLING)).drawn == 2


async def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    async with engine_for("starter", (str(tmp_path / "none"),), engine="vllm") as engine:
        with pytest.raises(ModelLoadError, match="which is to start vLLM, cannot be run"):
            await engine.generate(ASK, SAMPLING)


async def test_a_server_that_ends_at_each_request_is_started_once_more(tmp_path: Path) -> None:
    command = script(tmp_path, f"open({str(tmp_path / 'starts')!r}, 'a').write('x')", "os._exit(7)")
    async with engine_for("starter", command, engine="vllm") as engine:
        with pytest.raises(RemoteError) as caught:
            await engine.generate(ASK, SAMPLING)
    assert caught.value.message == "vLLM ended while it worked (status 7)."
    assert (tmp_path / "starts").read_text() == "xx"


async def test_a_server_that_is_asked_for_while_one_ends_comes_behind_it_and_is_read(tmp_path: Path) -> None:
    slow = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), os._exit(0)))"
    async with engine_for("starter", script(tmp_path, slow, "print('y' * 1_000_000)"), engine="vllm") as engine:
        await engine.load()
        first = guards()
        ending = asyncio.create_task(engine.unload())
        await asyncio.sleep(0)
        asked = asyncio.create_task(engine.generate(ASK, SAMPLING))
        await ending
        assert not any(map(runs, first))
        assert (await asked).drawn == 2
        again = engine.generate(ASK, attrs.evolve(SAMPLING, seed=4))
        assert (await asyncio.wait_for(again, 30)).drawn == 2  # its words are read, so that it goes on
        assert len(guards()) == 1


async def test_who_waits_for_a_server_that_is_ended_is_told_so(tmp_path: Path) -> None:
    async with engine_for("starter", script(tmp_path, "import time; time.sleep(600)"), engine="vllm") as engine:
        asked = asyncio.create_task(engine.generate(ASK, SAMPLING))
        await until(lambda: bool(guards()))
        await engine.unload()
        with pytest.raises(CancelledError, match=r"^vLLM was ended before it was ready\."):
            await asked


async def test_closing_ends_a_server_that_does_not_listen_yet_and_one_that_does_not_want_to(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    async with engine_for("starter", script(tmp_path, deaf), engine="vllm") as engine:
        task = asyncio.create_task(engine.generate(ASK, SAMPLING))
        await until(lambda: any(guard.children() for guard in guards()))
        [guard] = guards()
        family = [guard, *guard.children(recursive=True)]
        task.cancel()
        await asyncio.wait({task})
        assert all(map(runs, family))  # the next request needs it
    await until_gone(family)


@pytest.mark.parametrize(
    ("model", "template", "message"),
    [
        ("byt5-small", "", "The model byt5-small is an encoder-decoder model, which vLLM does not run."),
        ("nonsense", "", "There is no model 'nonsense' in the catalog."),
    ],
)
async def test_models_that_vllm_does_not_run(tmp_path: Path, model: str, template: str, message: str) -> None:
    async with engine_for(model, script(tmp_path), engine="vllm", template=template) as engine:
        with pytest.raises(LlmstepError) as caught:
            await engine.load()
        assert caught.value.message == message


@pytest.mark.parametrize(
    ("kind", "model", "message"),
    [
        ("vllm", "ntp-context-1.3b", "there is no program vllm."),
        ("llama.cpp", "bfs-prover-v2-7b", "there is neither the package xllamacpp nor a llama-server."),
    ],
)
async def test_a_program_that_is_not_there_is_missed_before_its_model_is_fetched(
    monkeypatch: pytest.MonkeyPatch, kind: str, model: str, message: str
) -> None:
    for finder in ("vllm_serve", "llama_server"):
        monkeypatch.setattr(launches, finder, tuple)
    async with engine_for(model, engine=kind, template="") as engine:
        with pytest.raises(SettingsError) as caught:
            await engine.load()
    assert caught.value.message == f"The setting llmstep.engine is {kind}, and {message}"


async def test_a_server_that_runs_is_used_instead(tmp_path: Path) -> None:
    async with engine_for("starter", script(tmp_path), engine="vllm") as first:
        await first.load()
        url = first.status.url
        async with engine_for("starter", engine="vllm", url=url) as second:
            with pytest.raises(LlmstepError, match="wants a key"):
                await second.load()
            assert second.status.engine == "vllm"
            assert len(guards()) == 1  # that of the first


async def test_a_server_of_somebody_else_is_not_let_go_when_it_is_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine_for("starter", script(tmp_path), engine="vllm") as first:
        await first.load()
        [guard] = guards()
        url = first.status.url
        monkeypatch.setenv("LLMSTEP_API_KEY", guard.environ()["VLLM_API_KEY"])
        minutes = 0.05 / 60
        async with engine_for("starter", engine="vllm", url=url, idle_unload_minutes=minutes) as second:
            assert (await second.generate(ASK, SAMPLING)).model == "starter"
            first.store.change(attrs.evolve(first.settings, idle_unload_minutes=2 * minutes))
            await until(lambda: first.status.state == "empty")
            assert (second.status.state, second.status.url) == ("idle", url)


async def test_what_goes_wrong_with_a_start_reaches_those_who_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = Launch(name="vLLM", model="starter", words=script(tmp_path), key_variable="VLLM_API_KEY")
    child = Child()

    def unable(_: object) -> None:
        raise ValueError("nobody can be told")

    with pytest.raises(ValueError, match="nobody can be told"):
        await asyncio.wait_for(child.place(launch, unable), 10)
    await child.stop()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(tmp_path / "no-python"))
        with pytest.raises(FileNotFoundError):
            await asyncio.wait_for(child.place(launch), 10)
    assert not child.running
