"""`llmstep doctor`: ports, companions, and processes that run or were left over."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from llmstep import __version__
from llmstep.doctor import servers
from llmstep.engine.engine import Engine
from llmstep.http.app import create_app
from llmstep.http.server import serve
from llmstep.lean.process import MARK
from llmstep.settings import HttpSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def at(port: int) -> Settings:
    return Settings(http=HttpSettings(port=port))


def test_a_port_that_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    finding = servers.port(at(port))
    assert (finding.grade, finding.text, finding.details["state"]) == ("ok", f"{port} is free", "free")
    assert servers.port(at(0)).text == "any free port"


def test_a_port_of_another_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        finding = servers.port(at(port))
    assert (finding.grade, finding.text) == ("note", f"{port} is used by another program")
    assert finding.details["state"] == "taken"
    assert "LLMSTEP_PORT" in finding.advice


async def test_a_port_of_llmstep() -> None:
    settings = Settings(model="starter")
    server = await serve(create_app(Engine(settings), settings), "127.0.0.1", 0)
    try:
        finding = await asyncio.to_thread(servers.port, at(server.port))
    finally:
        await server.stop()
    assert finding.grade == "ok"
    assert finding.text == f"{server.port} is served by llmstep {__version__} (model starter, empty)"
    assert finding.details["health"]["url"] == server.url


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["/usr/bin/python3", "-m", "llmstep", "lsp"], "llmstep lsp"),
        (["/v/bin/python", "/v/bin/llmstep", "serve", "--port", "0"], "llmstep serve"),
        (["llmstep", "serve"], "llmstep serve"),
        (["C:/v/Scripts/llmstep.exe", "lsp"], "llmstep lsp"),
        (["/v/bin/python", "/v/bin/llmstep", "doctor"], ""),
        (["grep", "llmstep", "serve"], ""),
        (["vim", "llmstep"], ""),
        ([], ""),
    ],
)
def test_companions(words: list[str], command: str) -> None:
    assert servers.companion(words) == command


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Two processes that pass for Lean servers: a child of this one, and one whose parent is gone."""
    environment = {**os.environ, MARK: "test"}
    child = subprocess.Popen(["sleep", "60"], env=environment)
    pid_file = tmp_path / "pid"
    subprocess.run(["sh", "-c", f"sleep 60 & echo $! > '{pid_file}'"], env=environment, check=True)
    orphan = int(pid_file.read_text())
    yield child.pid, orphan
    psutil.Process(orphan).kill()
    child.kill()
    child.wait()


def test_lean_servers_that_run_and_that_were_left_over(marked: tuple[int, int]) -> None:
    child, orphan = marked
    finding = servers.running()
    listed = [each["pid"] for each in finding.details["lean"]]
    assert child in listed
    assert orphan in listed
    assert orphan in finding.details["left_over"]
    assert child not in finding.details["left_over"]
    assert finding.grade == "note"
    assert str(orphan) in finding.advice


def test_an_llmstep_that_runs() -> None:
    command = [sys.executable, "-m", "llmstep", "serve", "--port", "0", "--no-preload", "--model", "starter"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            finding = servers.running()
        finally:
            process.kill()
    assert {"pid": process.pid, "command": "llmstep serve"} in finding.details["llmstep"]
    assert f"llmstep serve (pid {process.pid})" in finding.text
