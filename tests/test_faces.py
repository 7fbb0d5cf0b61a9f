"""The tactic, the code action and the command line ask a model the same about the same place, whatever it reads.

All three are the real ones; at the end of each stands a server that remembers the prompts it was asked.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from compiled_package import environment
from kit_client import Lsp
from lsp.client import editor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lsprotocol import types

pytestmark = pytest.mark.lean

FILE = """import LLMstep
set_option llmstep.port PORT

namespace Pairs.«𝔸 b»

theorem before (p : Prop) (h : p) : p := by
  exact h

theorem pair (p q : Prop) (hp : p) (hq : q) : (p ∧ q) ∧ p := by
  have same : p := hp
  constructor
  · constructor
    · exact hp
    · llmstep "exact "
  · exact hp

end Pairs.«𝔸 b»
"""


@attrs.define
class Recorder:
    """An OpenAI-compatible server whose samples close no goal."""

    url: str = ""
    prompts: list[str] = attrs.field(factory=list)

    def taken(self) -> list[str]:
        prompts, self.prompts = self.prompts, []
        return prompts


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    made = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            self._say({"object": "list", "data": [{"id": "some"}]})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.prompts.append(asked["prompt"])
            choices = [{"index": i, "text": " nothing", "finish_reason": "stop"} for i in range(asked["n"])]
            self._say({"choices": choices})

        def _say(self, answer: object) -> None:
            data = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def options(recorder: Recorder) -> list[str]:
    return ["--engine", "openai", "--remote-url", recorder.url, "--remote-model", "some", "--count", "4"]


def by_tactic(recorder: Recorder, lean: Path, package: Path, folder: Path, template: str, options: list[str]) -> str:
    """Elaborates the file in a real Lean server; the answer is the file's text."""
    command = [sys.executable, "-m", "llmstep", "serve", "--port", "0", "--template", template, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        assert served.stderr is not None
        line = served.stdout.readline()
        port = re.search(r":(\d+) ", line)
        assert port is not None, (line, served.stderr.read())
        text = FILE.replace("PORT", port[1])
        lsp: Any = Lsp([lean, "--server"], folder, environment(package))
        lsp.init()
        lsp.open("Tactic.lean", text)
        lsp.wait("Tactic.lean", 1)
        lsp.stop()
        served.terminate()
    return text


async def by_code_action(page_at: Path, text: str, settings: dict[str, Any], environ: dict[str, str]) -> None:
    async with editor(page_at.parent, options=settings, environment=environ) as made:
        page = made.open(page_at, text)
        action: types.CodeAction = (await page.actions(page.at('llmstep "')))[0]
        assert action.command is not None
        await made.execute(action.command.command, *(action.command.arguments or ()))


def by_command_line(file: Path, lean: Path, template: str, options: list[str], environ: dict[str, str]) -> None:
    lines = file.read_text("utf-8").split("\n")
    line = next(number for number, text in enumerate(lines, start=1) if 'llmstep "' in text)
    place = ["--line", str(line), "--column", str(lines[line - 1].index("llmstep") + 1)]
    command = [sys.executable, "-m", "llmstep", "suggest", str(file), *place, "--template", template]
    subprocess.run([*command, "--lean", str(lean), *options], env=environ, check=True, capture_output=True)


@pytest.mark.parametrize("template", ["llemma", "ntp-context", "internlm25-step"])
async def test_all_three_ask_the_same(
    recorder: Recorder, options: list[str], lean: Path, package: Path, tmp_path: Path, template: str
) -> None:
    environ = {**os.environ, **environment(package)}
    text = by_tactic(recorder, lean, package, tmp_path, template, options)
    tactic = recorder.taken()

    settings = {
        "engine": "openai",
        "remote": {"url": recorder.url, "model": "some"},
        "template": template,
        "count": 4,
        "lean": {"command": [str(lean), "--server"]},
        "http": {"enabled": False},
    }
    await by_code_action(tmp_path / "Action.lean", text, settings, environ)
    action = recorder.taken()

    (tmp_path / "Line.lean").write_bytes(text.replace("\n", "\r\n").encode())  # as Windows has it
    by_command_line(tmp_path / "Line.lean", lean, template, options, environ)
    command_line = recorder.taken()

    assert tactic == action == command_line
    assert len(tactic) == (2 if template == "llemma" else 1)
    assert all(prompt.endswith("exact") for prompt in tactic)
    before = text[: text.index('llmstep "')]
    if template == "llemma":
        assert tactic[0].endswith("\n⊢ q\n---\nNext tactic:\n---\nexact")
        assert tactic[1] == before + "exact"
    elif template == "internlm25-step":
        assert "NAME: Pairs.«𝔸 b».pair\n" in tactic[0]
        assert "PROOF_BEFORE: have same : p := hp\nconstructor\n· constructor\n  · exact hp\n  ·\n" in tactic[0]
    else:
        assert before in tactic[0]
