"""The tools through the SDK's own client, over both transports and both ways of the protocol, with a real Lean."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx2
import mcp_types
import pytest
from agents.agent_client import FILE, TOKEN, call, http_client, refusal
from mcp.shared.exceptions import MCPError

from llmstep.mcp.server import listed

if TYPE_CHECKING:
    from pathlib import Path

    from agents.agent_client import Project

pytestmark = pytest.mark.lean

WAYS = [("stdio", "auto"), ("stdio", "legacy"), ("http", "auto"), ("http", "legacy")]
LEFT = "case left\np q : Prop\nhp : p\nhq : q\n⊢ p"
SWAP = "n m : Nat\n⊢ n + m = m + n"
PLACE = {"start": {"line": 3, "column": 5}, "end": {"line": 3, "column": 10}}


def inserted(edit: dict[str, Any]) -> str:
    """The file after an edit of one line."""
    lines = FILE.split("\n")
    start, end = edit["range"]["start"], edit["range"]["end"]
    assert start["line"] == end["line"]
    old = lines[start["line"] - 1]
    lines[start["line"] - 1] = old[: start["column"] - 1] + edit["new_text"] + old[end["column"] - 1 :]
    return "\n".join(lines)


def test_the_schemas_tell_what_holds_for_an_argument_that_is_absent() -> None:
    [prove] = [tool for tool in listed() if tool.name == "prove"]
    told = {name: each["default"] for name, each in prove.input_schema["properties"].items() if "default" in each}
    assert told == {"seconds": 60.0, "expansions": 64, "samples": 16, "tactics": "both"}


@pytest.mark.parametrize(("transport", "mode"), WAYS)
async def test_the_tools_answer_alike_over_every_way(project: Project, transport: str, mode: str) -> None:
    async with project.client(transport, mode) as client:
        assert client.server_info is not None
        assert client.server_info.name == "llmstep"
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["goal", "check", "suggest", "prove", "premises"]
        for tool in tools:
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint
            assert set(tool.input_schema["required"]) >= {"file", "line"}
            assert tool.output_schema is not None

        at = {"file": "Some file.lean", "line": 3}
        assert await call(client, "goal", at) == {"goal": LEFT, "others": [], "declaration": "both", "place": PLACE}
        assert (await call(client, "goal", {**at, "column": 7}))["goal"] == LEFT
        assert (await call(client, "goal", {"file": str(project.file), "line": 7}))["declaration"] == "𝔸swap"

        closes = await call(client, "check", {**at, "step": "exact hp"})
        assert (closes["verdict"], closes["remaining_goals"], closes["message"]) == ("closes", [], "")
        assert inserted(closes["edit"]) == FILE.replace("sorry", "exact hp", 1)
        refused = await call(client, "check", {**at, "step": "exact hq"})
        assert refused["verdict"] == "invalid"
        assert refused["message"].startswith("Type mismatch")
        leaves = await call(client, "check", {"file": "Some file.lean", "line": 7, "step": "have h : n = n := rfl"})
        assert leaves["verdict"] == "progress"
        assert leaves["remaining_goals"] == ["n m : Nat\nh : n = n\n⊢ n + m = m + n"]
        assert (await call(client, "check", {**at, "step": "sorry"}))["verdict"] == "invalid"
        program = await call(client, "check", {**at, "step": 'run_tac IO.FS.removeFile "x"'})
        assert program["verdict"] == "invalid"

        steps: list[tuple[float, str]] = []

        async def on_progress(done: float, total: float | None, message: str | None) -> None:
            steps.append((done, message or ""))

        found = await call(client, "suggest", {**at, "count": 8}, progress_callback=on_progress)
        assert found["goal"] == LEFT
        assert found["model"] == "starter"
        best = found["suggestions"][0]
        assert best["verdict"] == "closes"
        assert inserted(best["edit"]) == FILE.replace("sorry", best["text"], 1)
        assert {each["source"] for each in found["suggestions"]} <= {"model", "lean", "repaired"}
        assert [done for done, _ in steps] == sorted({done for done, _ in steps})
        assert any("Checking" in message for _, message in steps)
        with_prefix = await call(client, "suggest", {**at, "count": 8, "prefix": "apply "})
        everything = [*with_prefix["suggestions"], *with_prefix["rejected"]]
        assert everything
        assert all(each["text"].startswith("apply") for each in everything)

        proved = await call(client, "prove", {"file": "Some file.lean", "line": 7})
        assert proved["outcome"] == "proved"
        assert proved["goal"] == SWAP
        whole = await call(client, "check", {"file": "Some file.lean", "line": 7, "step": proved["proof"]})
        assert whole["verdict"] == "closes"
        none = await call(client, "prove", {"file": "Some file.lean", "line": 10, "expansions": 1, "samples": 2})
        assert none["outcome"] in ("exhausted", "expansions")
        assert (none["proof"], none["edit"]) == (None, None)

        known = await call(client, "premises", {"file": "Some file.lean", "line": 7})
        assert known["source"] == "lean"
        assert {"name": "Nat.add_comm", "code": "theorem Nat.add_comm (n m : Nat) : n + m = m + n"} in known["premises"]


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("goal", {"file": "Some file.lean"}, "The argument line of goal is missing."),
    ("goal", {"line": 3}, "The argument file of goal is missing."),
    ("goal", {"file": "Some file.lean", "line": 0}, "The argument line of goal is 0."),
    ("goal", {"file": "Some file.lean", "line": True}, "The argument line of goal is true."),
    ("goal", {"file": "Some file.lean", "line": "3"}, "The argument line of goal is '3'."),
    (
        "goal",
        {"file": "Some file.lean", "line": 10**70},
        "The argument line of goal is a number of more than 60 digits.",
    ),
    ("goal", {"file": ["a"], "line": 3}, "The argument file of goal is a list."),
    ("goal", {"file": "Some file.lean", "line": 3, "colum": 5}, "goal takes no argument 'colum'."),
    ("goal", {"file": "Some file.lean", "line": 99}, "There is no line 99 in Some file.lean."),
    ("goal", {"file": "Some file.lean", "line": 12}, "There is no goal here."),
    ("goal", {"file": "No.lean", "line": 3}, "There is no file 'No.lean'."),
    ("goal", {"file": "notes.txt", "line": 1}, "The file 'notes.txt' is no Lean file."),
    ("goal", {"file": "/etc/passwd", "line": 1}, "The file '/etc/passwd' is outside of the project."),
    ("goal", {"file": "../Outside.lean", "line": 1}, "The file '../Outside.lean' is outside of the project."),
    ("goal", {"file": "Link.lean", "line": 1}, "The file 'Link.lean' is outside of the project."),
    ("goal", {"file": "Loop.lean", "line": 1}, "The file 'Loop.lean' is outside of the project."),
    ("goal", {"file": "Folder.lean", "line": 1}, "There is no file 'Folder.lean'."),
    ("goal", {"file": "Bytes.lean", "line": 1}, "is not UTF-8 (byte 0)."),
    ("goal", {"file": "a\0b.lean", "line": 1}, "The argument file of goal is"),
    ("check", {"file": "Some file.lean", "line": 3}, "The argument step of check is missing."),
    ("check", {"file": "Some file.lean", "line": 3, "step": "  "}, "The argument step of check is '  '."),
    ("suggest", {"file": "Some file.lean", "line": 3, "count": 1000}, "The argument count of suggest is 1000."),
    ("prove", {"file": "Some file.lean", "line": 3, "tactics": "all"}, "The argument tactics of prove is 'all'."),
]


async def test_what_is_wrong_is_one_sentence_and_a_hint(project: Project) -> None:
    root = project.root
    (root.parent / "Outside.lean").write_text("theorem t : True := by\n  sorry\n")
    (root / "Link.lean").symlink_to(root.parent / "Outside.lean")
    (root / "Loop.lean").symlink_to(root / "Loop.lean")
    (root / "Folder.lean").mkdir()
    (root / "notes.txt").write_text("sorry\n")
    (root / "Bytes.lean").write_bytes(b"\xff\xfe")
    async with project.client() as client:
        for tool, arguments, sentence in REFUSED:
            said = await refusal(client, tool, arguments)
            assert sentence in said, (arguments, said)
            assert said.count(". ") >= 1, said
            assert "Traceback" not in said
            assert "Error" not in said
        with pytest.raises(MCPError, match="no tool"):
            await client.call_tool("destroy", {})
        assert (await call(client, "goal", {"file": "Some file.lean", "line": 3}))["goal"] == LEFT


@pytest.mark.parametrize(("transport", "mode"), WAYS)
async def test_the_folders_of_the_client_count(project: Project, tmp_path: Path, transport: str, mode: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    asked = 0

    async def roots(_: object) -> mcp_types.ListRootsResult:
        nonlocal asked
        asked += 1
        return mcp_types.ListRootsResult(roots=[mcp_types.Root(uri=project.root.as_uri())])  # type: ignore[arg-type]

    async with project.client(transport, mode, cwd=elsewhere, list_roots_callback=roots) as client:
        assert (await call(client, "goal", {"file": "Some file.lean", "line": 3}))["goal"] == LEFT
        assert asked == 1
        assert "outside of the project" in await refusal(client, "goal", {"file": str(tmp_path / "a.lean"), "line": 3})
    async with project.client(transport, mode, cwd=elsewhere) as client:
        assert "outside of the project" in await refusal(client, "goal", {"file": str(project.file), "line": 3})
    async with project.client(transport, mode, "--root", str(project.root), cwd=elsewhere) as client:
        assert (await call(client, "goal", {"file": "Some file.lean", "line": 3}))["goal"] == LEFT


class Slow:
    """A model's server that never answers, and notices when it is left."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            body = json.dumps({"object": "list", "data": [{"id": "some"}]}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        else:
            self.asked.set()
            while await reader.read(4096):
                pass
            self.left.set()
        writer.close()


@pytest.mark.parametrize("tool", ["suggest", "prove"])
@pytest.mark.parametrize(("transport", "mode"), WAYS)
async def test_cancelling_stops_the_model(project: Project, transport: str, mode: str, tool: str) -> None:
    slow = Slow()
    async with await asyncio.start_server(slow, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        engine = ("--engine", "openai", "--remote-url", f"http://127.0.0.1:{port}/v1", "--template", "llemma")
        async with project.client(transport, mode, *engine) as client:
            place = {"file": "Some file.lean", "line": 10}
            run = asyncio.create_task(client.call_tool(tool, place))
            await asyncio.wait_for(slow.asked.wait(), 60)
            run.cancel()
            await asyncio.wait({run})
            await asyncio.wait_for(slow.left.wait(), 60)
            assert run.cancelled()
            assert (await call(client, "check", {**place, "step": "trivial"}))["verdict"] == "invalid"


async def test_http_wants_the_token_and_no_web_page(project: Project) -> None:
    arguments = ["-m", "llmstep", "mcp", *project.options]
    async with project.listening(arguments, project.root) as url:
        async with httpx2.AsyncClient() as http:
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            right = {"Authorization": f"Bearer {TOKEN}"}
            for headers, status in [
                ({}, 401),
                ({"Authorization": "Bearer no"}, 401),
                ({**right, "Origin": "http://evil.example"}, 403),
                ({**right, "Host": "evil.example"}, 403),
            ]:
                answer = await http.post(url, json=body, headers=headers)
                assert (answer.status_code, set(answer.json())) == (status, {"error", "hint", "suggestions"})
            assert (await http.get(url)).status_code == 401
        async with http_client(url, "auto", TOKEN) as one, http_client(url, "legacy", TOKEN) as other:
            goals = await asyncio.gather(
                *(call(each, "goal", {"file": "Some file.lean", "line": 7}) for each in (one, other))
            )
            assert [each["goal"] for each in goals] == [SWAP, SWAP]
