"""A running companion does the work of `llmstep mcp` for the project that its editor has open."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import attrs
import psutil
import pytest
from agents.agent_client import call, refusal
from agents.test_tools import LEFT, Slow
from lsp.client import editor
from processes import runs, words
from waiting import until

from llmstep import __version__
from llmstep.mcp import companion
from llmstep.mcp.companion import Companion

if TYPE_CHECKING:
    from pathlib import Path

    from agents.agent_client import Project
    from lsp.client import Editor

pytestmark = pytest.mark.lean

AT = {"file": "Some file.lean", "line": 3}


@pytest.fixture
def settings(lean_command: tuple[str, ...]) -> dict[str, Any]:
    return {"model": "starter", "device": "cpu", "lean": {"command": list(lean_command)}, "http": {"port": 0}}


async def announced(made: Editor) -> Companion:
    """The companion of an editor, once agents find it."""
    assert made.process is not None
    pid = made.process.pid

    async def found() -> Companion | None:
        return next((each for each in await asyncio.to_thread(companion.running) if each.pid == pid), None)

    announced: Companion = await until(found)
    return announced


def server_of(project: Project) -> psutil.Process:
    """The `llmstep mcp` that works on the project."""
    found = [each for each in psutil.Process().children() if "mcp" in words(each)]
    newest = max(found, key=psutil.Process.create_time)  # one of a client that has gone may still be ending
    assert newest.cwd() == str(project.root)
    return newest


def leans(project: Project) -> list[psutil.Process]:
    """The processes below it."""
    return [each for each in server_of(project).children(recursive=True) if runs(each)]


async def test_the_companion_answers_with_its_model_and_its_lean(project: Project, settings: dict[str, Any]) -> None:
    async with editor(project.root, options=settings) as made:
        found = await announced(made)
        assert found.roots == (project.root.resolve(),)
        assert (companion.folder() / f"{found.pid}.json").stat().st_mode & 0o777 == 0o600
        page = made.open(project.file, project.file.read_text("utf-8").replace("theorem both", "theorem other"))
        plain = attrs.evolve(project, options=())
        async with plain.client() as client:
            steps: list[str] = []

            async def on_progress(_: float, __: float | None, message: str | None) -> None:
                steps.append(message or "")

            got = await call(client, "suggest", {**AT, "count": 8}, progress_callback=on_progress)
            assert got["suggestions"][0]["verdict"] == "closes"
            assert any("Loading starter" in step for step in steps)
            assert not leans(plain)  # no Lean server of its own
            assert (await call(client, "goal", AT))["declaration"] == "both"  # as on the disk, not as in the editor
            assert await page.hints() == []  # what agents are told is not shown in the editor
            assert "There is no line 99" in await refusal(client, "goal", {**AT, "line": 99})
            states = [status.state for status in made.statuses]
            assert "generating" in states
            await made.leave()
            assert not (companion.folder() / f"{found.pid}.json").exists()
            said = await client.call_tool("goal", AT)  # nobody to ask: this process starts a Lean, or says it has none
            assert said.is_error or said.structured_content["goal"] == LEFT  # type: ignore[index]


async def test_a_cancel_reaches_the_companion(project: Project, settings: dict[str, Any]) -> None:
    slow = Slow()
    async with await asyncio.start_server(slow, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        own = {**settings, "engine": "openai", "template": "llemma", "remote": {"url": url}}
        async with editor(project.root, options=own) as made:
            await announced(made)
            async with attrs.evolve(project, options=()).client() as client:
                run = asyncio.create_task(client.call_tool("suggest", {**AT, "line": 10}))
                await asyncio.wait_for(slow.asked.wait(), 60)
                run.cancel()
                await asyncio.wait({run})
                await asyncio.wait_for(slow.left.wait(), 60)


async def test_other_settings_and_other_projects_are_not_the_companions(
    project: Project, settings: dict[str, Any], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = attrs.evolve(project, root=elsewhere)
    other.file.write_text(project.file.read_text("utf-8"), "utf-8")
    async with editor(elsewhere, options=settings) as made:
        await announced(made)
        async with project.client() as client:
            assert (await call(client, "goal", AT))["goal"] == LEFT
            assert leans(project)
        async with other.client(
            "stdio", "auto", "--temperature", "0.5"
        ) as client:  # options for a Lean not the editor's
            assert (await call(client, "goal", AT))["goal"] == LEFT
            assert leans(other)
        async with attrs.evolve(other, options=()).client("stdio", "auto", "--no-share") as client:
            said = await client.call_tool("goal", AT)
            assert said.is_error or leans(other)
        made.process.kill()  # type: ignore[union-attr]
        await made.process.wait()  # type: ignore[union-attr]
        pid = made.process.pid  # type: ignore[union-attr]
        assert (companion.folder() / f"{pid}.json").exists()
        assert all(each.pid != pid for each in companion.running())
        assert not (companion.folder() / f"{pid}.json").exists()


FILE = '{"pid": %s, "port": %s, "token": "", "key": "", "roots": [], "version": "%s"}'


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"pid": "x"}', "\xff", '{"roots": 3}', "[" * 100_000),
        *(FILE % (each, 1, __version__) for each in ("1e999", "1e300", "-1")),
        FILE % (1, "1e999", __version__),
    ],
    ids=range(11),
)
def test_what_is_no_companions_file_is_passed_over(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    companion.folder().mkdir(parents=True)
    (companion.folder() / "1.json").write_text(text, "latin-1")
    assert companion.running() == []


def test_only_who_listens_is_sent_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    made = Companion(os.getpid(), 1, "secret", "", (tmp_path,))
    companion.announce(made)
    assert companion.running() == []
    assert "secret" not in repr(made)
    assert (companion.folder() / f"{os.getpid()}.json").exists()
