"""`llmstep serve` as a user runs it: the real process, the real engine, the starter model, plain clients."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import attrs
import httpx
import psutil
import pytest
from gated import LOADING, Gate
from ports import free_port
from waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONJUNCTION = "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"
LINE = re.compile(r"llmstep listens at (http://127\.0\.0\.1:(\d+)) with the model starter\n")


def start(
    *options: str, program: tuple[str, ...] = (sys.executable, "-m", "llmstep"), **environment: str
) -> subprocess.Popen[str]:
    command = [*program, "serve", *options]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LLMSTEP_")}
    return subprocess.Popen(
        command,
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def first_line(process: subprocess.Popen[str]) -> tuple[str, int]:
    """URL and port of the line a server prints; the process is ended when it prints another."""
    assert process.stdout is not None
    line = process.stdout.readline()
    match = LINE.fullmatch(line)
    if match is None:
        process.kill()
        raise AssertionError(f"{line!r} {process.communicate()}")
    return match[1], int(match[2])


def finish(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str, str]:
    """Exit status and the rest of the output after a signal; nothing of the process may be left."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert not [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    return process.returncode, out, err


@attrs.frozen
class Served:
    process: subprocess.Popen[str]
    url: str
    port: int
    client: httpx.Client
    gate: Gate

    def ask(self, **body: object) -> httpx.Response:
        return self.client.post("/", json=body)

    def health(self) -> dict[str, object]:
        answer: dict[str, object] = self.client.get("/health").json()
        return answer

    def number(self, name: str) -> float:
        """One of the numbers for scrapers."""
        lines = self.client.get("/metrics").text.splitlines()
        [value] = [line.split()[1] for line in lines if line.startswith(f"llmstep_{name} ")]
        return float(value)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    gate = Gate(tmp_path_factory.mktemp("gate"))
    process = start("--port", "0", "--model", "starter", "--device", "cpu", program=gate.program)
    url, port = first_line(process)
    with httpx.Client(base_url=url, trust_env=False, verify=False, timeout=60) as client:
        try:
            yield Served(process, url, port, client, gate)
        finally:
            process.kill()
            process.communicate()


def test_upstreams_request_by_httpx(served: Served) -> None:
    answer = served.ask(tactic_state=CONJUNCTION, prefix="", context="theorem t : p ∧ q := by\n")
    assert answer.status_code == 200
    content = answer.json()
    assert set(content) == {"suggestions", "scores", "model", "elapsed_ms"}
    assert 1 <= len(content["suggestions"]) == len(set(content["suggestions"])) == len(content["scores"]) <= 10
    assert all(text and text == text.strip() for text in content["suggestions"])
    assert content["scores"] == sorted(content["scores"], reverse=True)
    assert all(score < 0 for score in content["scores"])
    assert content["model"] == "starter"
    assert content["elapsed_ms"] > 0


def test_upstreams_request_by_curl_from_stdin(served: Served) -> None:
    body = json.dumps({"tactic_state": CONJUNCTION, "prefix": "exact ", "context": "x" * 200_000}, ensure_ascii=False)
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60"]
    done = subprocess.run(
        [*command, "--header", "Content-Type: application/json", "--data-binary", "@-", served.url],
        input=body.encode(),
        capture_output=True,
        check=True,
    )
    content = json.loads(done.stdout)
    assert content["suggestions"]
    assert all(text.startswith("exact ") and not text.startswith("exact exact") for text in content["suggestions"])


@pytest.mark.parametrize("prefix", ["intro", "exact h", "rw [", "  ", "⟨", "apply 𝔸"])
def test_suggestions_start_with_the_prefix_once(served: Served, prefix: str) -> None:
    answer = served.ask(tactic_state="a b : Nat\nh : a = b\n⊢ b = a", prefix=prefix, context="")
    assert answer.status_code == 200
    for text in answer.json()["suggestions"]:
        assert text.startswith(prefix)
        assert not text.startswith(prefix * 2) or not prefix.strip()


def test_several_goals_and_count(served: Served) -> None:
    state = "case left\np q : Prop\nhp : p\nhq : q\n⊢ p\n\ncase right\np q : Prop\nhp : p\nhq : q\n⊢ q"
    answer = served.ask(tactic_state=state, prefix="", context="", count=3).json()
    assert 1 <= len(answer["suggestions"]) <= 3
    assert served.ask(tactic_state="p : Prop\nh : p\n⊢ p", prefix="", context="", count=1).json()["suggestions"]


def test_the_same_question_is_answered_from_memory(served: Served) -> None:
    asked = {"tactic_state": "p : Prop\nh : p\n⊢ p ∨ False", "prefix": "", "context": ""}
    first, second = served.ask(**asked).json(), served.ask(**asked).json()
    assert (second["suggestions"], second["scores"]) == (first["suggestions"], first["scores"])


def test_leancopilots_request(served: Served) -> None:
    asked = {"name": "wellecks/llmstep-mathlib4-pythia2.8b", "input": CONJUNCTION, "prefix": "exact"}
    answer = served.client.post("/generate", json=asked)
    assert answer.status_code == 200
    assert set(answer.json()) == {"outputs"}
    outputs = answer.json()["outputs"]
    assert outputs
    for output in outputs:
        assert set(output) == {"output", "score"}
        assert output["output"].startswith("exact")
        assert 0 < output["score"] <= 1
    tactic = served.ask(tactic_state=CONJUNCTION, prefix="exact", context="").json()
    assert [output["output"] for output in outputs] == tactic["suggestions"]
    assert [output["score"] for output in outputs] == pytest.approx([math.exp(score) for score in tactic["scores"]])


def test_errors_have_upstreams_form(served: Served) -> None:
    answer = served.client.post("/", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["suggestions"] == []
    assert answer.json()["error"].startswith("The body is not JSON")
    assert served.client.get("/health", headers={"Host": "evil.example"}).status_code == 403
    assert served.client.get("/health", headers={"Origin": "https://evil.example"}).status_code == 403


def test_a_client_that_goes_away_stops_the_model(served: Served) -> None:
    long = request_bytes(tactic_state=CONJUNCTION + " ∧ p ∧ q ∧ p", prefix="have ", count=64)
    before = served.number("samples_total")
    for _ in range(2):  # the second time the model has to work again: the first answer was never finished
        served.gate.shut()
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            connection.sendall(long)
            served.gate.wait()
        wait_until(lambda: served.number("requests_open") == 1)  # the one that asks for the number
        served.gate.open()
        wait_until(lambda: served.health()["state"] == "idle")
    assert served.number("samples_total") == before


def request_bytes(**fields: object) -> bytes:
    body = json.dumps(fields).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


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
    health = httpx.get(f"{url}/health", trust_env=False).json()
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
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
            wait_until(lambda: listens(port))
            for _ in range(700):  # more lines than a pipe holds
                assert client.get("/health").status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        os.close(reading)


def test_the_access_log_is_a_file_of_lines(tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    process = start("--port", "0", "--no-preload", "--model", "starter", "--access-log", str(log))
    url, _ = first_line(process)
    assert httpx.get(f"{url}/health", trust_env=False).status_code == 200
    assert httpx.get(f"{url}/ready", trust_env=False).status_code == 503
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
    assert httpx.get(url, trust_env=False).status_code == 401
    assert httpx.get(url, trust_env=False, headers={"Authorization": "Bearer correct-horse-battery"}).status_code == 200
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
