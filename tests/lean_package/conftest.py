"""A server that answers as told, and an editor with a real Lean server whose files can import the package."""

from __future__ import annotations

import itertools
import json
import re
import select
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from compiled_package import SOURCES, environment, without_module_header
from kit_client import Lsp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
HEADER = "import LLMstep\n"


@pytest.fixture(scope="session")
def sources() -> Path:
    return SOURCES


@pytest.fixture(scope="session")
def strip() -> Callable[[str], str]:
    return without_module_header


@pytest.fixture(scope="session")
def package_environment(package: Path) -> dict[str, str]:
    return environment(package)


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Model:
    """Stands for `llmstep serve`: answers every request with `answer`, and remembers the requests."""

    answer: Any = field(default_factory=list)
    """Suggestions; a table of them by prefix; (status, object); or (status, bytes)."""
    requests: list[Request] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    """Answers wait until it is set."""
    asked: threading.Event = field(default_factory=threading.Event)
    dropped: threading.Event = field(default_factory=threading.Event)
    """Set when a client closes its connection before it has an answer."""
    port: int = 0

    def reset(self, *suggestions: str) -> Model:
        self.answer, self.requests = list(suggestions), []
        self.hold.set()
        self.asked.clear()
        self.dropped.clear()
        return self

    @property
    def last(self) -> dict[str, Any]:
        return self.requests[-1].body


@pytest.fixture(scope="session")
def running_model() -> Iterator[Model]:
    model = Model()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            model.requests.append(Request(self.path, dict(self.headers), json.loads(raw)))
            model.asked.set()
            while not model.hold.wait(0.02):
                if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                    model.dropped.set()
                    return
            status, answer = 200, model.answer
            if isinstance(answer, tuple):
                status, answer = answer
            else:
                answer = {"suggestions": answer[model.last["prefix"]] if isinstance(answer, dict) else answer}
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    model.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield model
    server.shutdown()
    server.server_close()


@pytest.fixture
def model(running_model: Model) -> Iterator[Model]:
    yield running_model.reset()
    running_model.hold.set()


@dataclass
class Message:
    severity: int
    start: tuple[int, int]
    end: tuple[int, int]
    text: str


@dataclass
class Action:
    title: str
    start: tuple[int, int]
    end: tuple[int, int]
    text: str


def offset(text: str, place: tuple[int, int]) -> int:
    """Index into `text` of an LSP position: line, and column in UTF-16 units."""
    lines = text.split("\n")
    column = len(lines[place[0]].encode("utf-16-le")[: 2 * place[1]].decode("utf-16-le"))
    return sum(len(line) + 1 for line in lines[: place[0]]) + column


class Document:
    """An open file."""

    def __init__(self, editor: Editor, name: str, text: str) -> None:
        self.editor, self.lsp, self.name, self.version = editor, editor.lsp, name, 1
        self.text = text
        self.lsp.open(name, text)

    @property
    def line(self) -> int:
        """The line of the first call of the tactic."""
        return self.text.split("\n").index(next(x for x in self.text.split("\n") if re.search(r"\bllmstep\b(?!\.)", x)))

    def wait(self) -> Document:
        answer = self.lsp.wait(self.name, self.version)
        assert "error" not in answer, answer
        return self

    def change(self, text: str) -> Document:
        self.text, self.version = text, self.version + 1
        self.lsp.change(self.name, self.version, [{"text": text}])
        return self

    @property
    def messages(self) -> list[Message]:
        def pair(place: dict[str, int]) -> tuple[int, int]:
            return place["line"], place["character"]

        found = self.lsp.diagnostics(self.name) or []
        return [Message(x["severity"], pair(x["range"]["start"]), pair(x["range"]["end"]), x["message"]) for x in found]

    @property
    def errors(self) -> list[str]:
        return [m.text for m in self.messages if m.severity == 1]

    @property
    def said(self) -> str:
        """The one message of the tactic."""
        found = [m.text for m in self.messages if m.text.startswith("llmstep")]
        assert len(found) == 1, self.messages
        return found[0]

    @property
    def actions(self) -> list[Action]:
        return self.actions_at(self.line)

    def actions_at(self, line: int) -> list[Action]:
        found = []
        for item in self.lsp.actions(self.name, line):
            (change,) = item["edit"]["documentChanges"]
            (edit,) = change["edits"]
            start, end = edit["range"]["start"], edit["range"]["end"]
            places = (start["line"], start["character"]), (end["line"], end["character"])
            assert item["kind"] == "quickfix"
            found.append(Action(item["title"], *places, edit["newText"]))
        return found

    def applied(self, action: Action, text: str | None = None) -> str:
        text = text or self.text
        return text[: offset(text, action.start)] + action.text + text[offset(text, action.end) :]

    def errors_after(self, action: Action) -> list[str]:
        """The errors of Lean for the text with the edit applied; the document has its old text afterwards."""
        old = self.text
        found = self.change(self.applied(action)).wait().errors
        self.change(old).wait()
        return found

    def check(self, line: int, column: int, **parameters: Any) -> Any:
        """The answer of `LLMstep.checkSuggestions`."""
        place = self.lsp.at(self.name, line, column)
        session = self.lsp.request("$/lean/rpc/connect", {"uri": self.lsp.uri(self.name)})["result"]["sessionId"]
        request = {"sessionId": session, "method": "LLMstep.checkSuggestions", "params": {**place, **parameters}}
        answer = self.lsp.request("$/lean/rpc/call", {**place, **request})
        return answer.get("result", answer.get("error"))

    def close(self) -> None:
        self.lsp.notify("textDocument/didClose", {"textDocument": {"uri": self.lsp.uri(self.name)}})


class Editor:
    """A Lean server whose files can import the package."""

    def __init__(self, lean: Path, folder: Path, env: dict[str, str]) -> None:
        self.lsp: Any = Lsp([lean, "--server", "-Dserver.reportDelayMs=0"], folder, env)
        self.lsp.init()
        self.count = itertools.count()
        self.shared: dict[str, Document] = {}

    def text(self, text: str) -> str:
        """A file's text: two lines of its own, unless it has an import. The number keeps answers of other tests out."""
        line = f"set_option linter.unusedVariables false -- {next(self.count)}\n"
        return text if text.startswith("import") else HEADER + line + text

    def start(self, text: str) -> Document:
        """Opens a file of its own and does not wait."""
        return Document(self, f"File{next(self.count)}.lean", self.text(text))

    def open(self, text: str) -> Document:
        """The text in a file that the tests share, elaborated: its imports are loaded once."""
        text = self.text(text)
        header = text.split("\n")[0]
        if header not in self.shared:
            self.shared[header] = Document(self, f"Shared{next(self.count)}.lean", text)
        else:
            self.shared[header].change(text)
        return self.shared[header].wait()


@pytest.fixture(scope="session")
def running_editor(
    lean: Path, package: Path, running_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("project")
    editor = Editor(lean, folder, environment(package, LLMSTEP_PORT=str(running_model.port)))
    yield editor
    assert editor.lsp.stop() == 0


@pytest.fixture
def editor(running_editor: Editor, model: Model) -> Iterator[Editor]:
    """The shared Lean server, with `LLMSTEP_PORT` set to the fake model's."""
    yield running_editor
    model.hold.set()


@pytest.fixture
def editor_with(lean: Path, package: Path, tmp_path: Path) -> Iterator[Callable[..., Editor]]:
    """Makes a Lean server with the given environment variables."""
    made: list[Editor] = []

    def make(**variables: str) -> Editor:
        made.append(Editor(lean, tmp_path, environment(package, **variables)))
        return made[-1]

    yield make
    for editor in made:
        assert editor.lsp.stop() == 0


@pytest.fixture
def outside(lean: Path, package: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `lean FILE`, as `lake build` does."""

    def run(text: str, **variables: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "Outside.lean").write_text(text if text.startswith("import") else HEADER + "\n" + text, "utf-8")
        env = environment(package, **variables)
        return subprocess.run([lean, "Outside.lean"], cwd=tmp_path, env=env, capture_output=True, text=True)

    return run
