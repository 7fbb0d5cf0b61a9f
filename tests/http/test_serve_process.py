"""`llmstep serve` as a user starts and ends it: ports, signals, its streams, its options."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest
from gated import LOADING, Gate
from ports import free_port
from waiting import wait_until

from .serving import CONJUNCTION, Served, finish, first_line, request_bytes, serving, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("gate")) as made:
        yield made


def test_a_second_server_names_the_first(served: Served) -> None:
    process = start("--port", str(served.port), "--model", "starter")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert out == ""
    assert err.startswith(f"llmstep: Port {served.port} is used by another llmstep (")
    assert "--port" in err
    assert err.count("\n") == 1


def test_sigterm_lets_the_work_end(served: Served) -> None:
    served.gate.shut()
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(request_bytes(tactic_state=CONJUNCTION + " ∧ q ∧ q ∧ p", prefix="have "))
        served.gate.wait()
        served.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(served.port))
        served.gate.open()
        answer = connection.makefile("rb").read()
        out, err = served.process.communicate(timeout=60)
    assert (served.process.returncode, out) == (0, "")
    assert "Traceback" not in err
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"model":"starter"' in answer


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(("options", "number"), [(("--drain-seconds", "0"), signal.SIGTERM), ((), signal.SIGINT)])
def test_ctrl_c_and_a_drain_of_no_time_end_it_at_once(options: tuple[str, ...], number: int, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    process = start("--port", "0", "--model", "starter", "--device", "cpu", *options, program=gate.program)
    _, port = first_line(process)
    gate.shut()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request_bytes(tactic_state=CONJUNCTION + " ∧ q ∧ q ∧ p", prefix="have "))
        gate.wait()
        process.send_signal(number)
        answer = connection.makefile("rb").read()
        gate.open()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err
    assert answer.startswith(b"HTTP/1.1 503")
    assert b'"suggestions":[]' in answer


def test_sigterm_ends_it_while_it_loads(tmp_path: Path) -> None:
    gate = Gate(tmp_path, LOADING)
    gate.shut()
    process = start("--port", "0", "--model", "starter", "--device", "cpu", program=gate.program)
    assert process.stderr is not None
    assert process.stderr.readline() == "Loading starter ...\n"
    gate.wait()
    assert finish(process) == (0, "", "")


def test_the_port_of_the_environment_and_ctrl_c() -> None:
    """Upstream's server died of a TypeError when LLMSTEP_PORT was set."""
    port = free_port()
    process = start("--no-preload", LLMSTEP_PORT=str(port), LLMSTEP_MODEL="starter")
    url, got = first_line(process)
    assert got == port
    health = httpx.get(f"{url}/health", trust_env=False, timeout=60).json()
    assert (health["model"], health["state"]) == ("starter", "empty")
    assert finish(process, signal.SIGINT) == (0, "", "")


@pytest.mark.skipif(sys.platform != "linux", reason="there is no such device")
def test_a_full_or_closed_stdout_and_a_stuck_log_do_not_end_it(tmp_path: Path) -> None:
    port = free_port()
    reading, writing = os.pipe()  # nobody reads the log
    command = [sys.executable, "-m", "llmstep", "serve", "--no-preload", "--model", "starter", "--access-log", "-"]
    with open("/dev/full", "wb") as full:
        process = subprocess.Popen([*command, "--port", str(port)], stdout=full, stderr=writing)
    os.close(writing)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
            wait_until(lambda: listens(port))
            for _ in range(700):  # more lines than a pipe holds
                assert client.get("/health").status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        os.close(reading)


def test_the_access_log_is_a_file_of_lines(tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    process = start("--port", "0", "--no-preload", "--model", "starter", "--access-log", str(log))
    url, _ = first_line(process)
    assert httpx.get(f"{url}/health", trust_env=False, timeout=60).status_code == 200
    assert httpx.get(f"{url}/ready", trust_env=False, timeout=60).status_code == 503
    assert finish(process) == (0, "", "")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["page"], line["status"]) for line in lines] == [("/health", 200), ("/ready", 503)]


def test_the_option_wins_over_the_environment() -> None:
    port = free_port()
    process = start("--port", str(port), "--no-preload", "--model", "starter", LLMSTEP_PORT="1")
    assert first_line(process)[1] == port
    finish(process)


def test_a_token_of_a_file_is_wanted(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("correct-horse-battery\n")
    process = start(
        "--host", "0.0.0.0", "--port", "0", "--no-preload", "--model", "starter", "--token-file", str(token)
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    match = re.fullmatch(r"llmstep listens at http://0\.0\.0\.0:(\d+) with the model starter\n", line)
    assert match
    url = f"http://127.0.0.1:{match[1]}/health"
    assert httpx.get(url, trust_env=False, timeout=60).status_code == 401
    assert (
        httpx.get(
            url, trust_env=False, timeout=60, headers={"Authorization": "Bearer correct-horse-battery"}
        ).status_code
        == 200
    )
    assert "correct-horse-battery" not in " ".join(psutil.Process(process.pid).cmdline())
    finish(process)


def test_a_refusal_is_one_line_and_a_status() -> None:
    """The others are in `tests/cli/test_serve.py`."""
    process = start("--host", "0.0.0.0")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err == (
        "llmstep: llmstep does not listen at 0.0.0.0 without a token, because other machines reach it. "
        "Put a secret into a file and give --token-file FILE, or set LLMSTEP_TOKEN, or listen at 127.0.0.1.\n"
    )
