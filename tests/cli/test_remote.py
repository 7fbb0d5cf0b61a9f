"""`llmstep suggest`, `serve` and `doctor` with a model that runs elsewhere: in a real `llmstep serve`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from output_schema import checked

from llmstep.doctor import machine
from llmstep.wire.state import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Run

STATE = "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"
LINE = re.compile(r"llmstep listens at (http://127\.0\.0\.1:\d+) with the model (.+)\n")
TOKEN = "a-token-of-24-characters"


def start(*options: str, **environment: str) -> tuple[subprocess.Popen[str], str, str]:
    """A server, its address and what it says of its model."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LLMSTEP_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "llmstep", "serve", "--port", "0", *options],
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    match = LINE.fullmatch(line)
    if match is None:
        process.kill()
        raise AssertionError(f"{line!r} {process.communicate()}")
    return process, match[1], match[2]


@pytest.fixture(scope="module")
def box() -> Iterator[str]:
    """The address of an `llmstep serve` with the starter model and a token."""
    process, url, _ = start("--model", "starter", "--device", "cpu", LLMSTEP_TOKEN=TOKEN)
    yield url
    process.kill()
    process.communicate()


def suggest(llmstep: Run, *options: str, **environment: str) -> Any:
    ended = llmstep("suggest", "--goal-file", "-", "--json", *options, stdin=STATE.encode(), **environment)
    assert ended.status == 0, ended.err
    return checked("suggest", ended.out)


def test_suggestions_of_another_llmstep(llmstep: Run, box: str, tmp_path: Path) -> None:
    at_box = ("--engine", "llmstep", "--remote-url", box, "--seed", "3", "--count", "16")
    answer = suggest(llmstep, *at_box, LLMSTEP_API_KEY=TOKEN)
    assert answer["model"] == "starter"
    assert answer["suggestions"]
    assert all(each["score"] < 0 for each in answer["suggestions"])
    here = suggest(llmstep, "--model", "starter", "--device", "cpu", "--seed", "3", "--count", "16")
    assert [each["text"] for each in here["suggestions"]] == [each["text"] for each in answer["suggestions"]]
    file = tmp_path / "key"
    file.write_text(TOKEN + "\n")
    again = suggest(llmstep, *at_box, "--prefix", "exact ", "--api-key-file", str(file))
    assert all(each["text"].startswith("exact ") for each in again["suggestions"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--remote-url", "http://127.0.0.1:1"), "There is a --remote-url, but the model runs in this process."),
        (("--engine", "openai"), "The setting llmstep.engine is openai, but llmstep.remote.url is empty."),
        (("--engine", "other"), "The setting llmstep.engine is 'other'."),
        (
            ("--engine", "openai", "--remote-url", "http://gpu.example.org"),
            "llmstep does not send goals to gpu.example.org without your consent, because that is another machine.",
        ),
        (
            ("--engine", "llmstep", "--remote-url", "http://127.0.0.1:1"),
            "Nothing answers at http://127.0.0.1:1. Start the server, or correct --remote-url.",
        ),
        (
            ("--engine", "openai", "--remote-url", "http://127.0.0.1:1", "--api-key-file", "/no/such/file"),
            "The file of the setting llmstep.remote.apiKeyFile cannot be read.",
        ),
    ],
)
def test_refusals(llmstep: Run, options: tuple[str, ...], message: str) -> None:
    ended = llmstep("suggest", "--goal-file", "-", *options, stdin=STATE.encode())
    assert (ended.status, ended.out) == (3 if "Nothing" in message else 2, "")
    assert ended.err.splitlines()[-1].startswith(f"llmstep: {message}")


OWN = "the model runs in llmstep itself, with its own decoder on the CPU"
OWN += ", because no server is set, and that decoder supports the model"


def test_a_wrong_token(llmstep: Run, box: str) -> None:
    options = ("--engine", "llmstep", "--remote-url", box)
    for environment, words in (({}, "wants a key"), ({"LLMSTEP_API_KEY": "wrong-key-0000"}, "refuses the key")):
        ended = llmstep("suggest", "--goal-file", "-", *options, stdin=STATE.encode(), **environment)
        assert ended.status == 3
        assert f"The server at {box} {words} (status 401)." in ended.err
        assert "wrong-key" not in ended.err


def test_a_gateway(box: str) -> None:
    """`llmstep serve` in front of another one: the tactic's requests go through, chains of llmsteps do not."""
    options = ("--engine", "llmstep", "--remote-url", box, "--count", "4")
    process, url, model = start(*options, LLMSTEP_API_KEY=TOKEN)
    try:
        assert model == f"starter of {box}"
        answer = httpx.post(url, json={"tactic_state": STATE, "prefix": "", "context": ""}, trust_env=False, timeout=60)
        assert answer.status_code == 200
        assert answer.json()["suggestions"]
        assert httpx.get(f"{url}/health", trust_env=False, timeout=60).json()["model_key"] == ""
        answer = httpx.post(f"{url}/candidates", json={"goal": STATE}, trust_env=False, timeout=60)
        assert (answer.status_code, answer.json()["error"]) == (
            409,
            "This llmstep forwards its requests to another one.",
        )
    finally:
        process.kill()
        process.communicate()


@pytest.mark.lean
def test_doctor(llmstep: Run, box: str, lean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "device", lambda: Finding("device", "ok", "cpu", "", {}))

    def look(*options: str, **environment: str) -> tuple[int, Any]:
        ended = llmstep("doctor", str(tmp_path), "--lean", str(lean), "--json", *options, **environment)
        found = checked("doctor", ended.out)["findings"]
        return ended.status, next(each for each in found if each["topic"] == "engine")

    status, found = look()
    assert (status, found["grade"], found["text"]) == (0, "ok", OWN)
    options = ("--engine", "llmstep", "--remote-url", box)
    status, found = look(*options, LLMSTEP_API_KEY=TOKEN)
    assert (status, found["grade"]) == (0, "ok")
    assert found["text"] == f"another llmstep at {box} answers; model starter"
    status, found = look(*options)
    assert (status, found["grade"]) == (1, "missing")
    assert found["text"] == f"The server at {box} wants a key (status 401)"
    assert "LLMSTEP_API_KEY" in found["advice"]
    status, found = look("--engine", "openai", "--remote-url", "http://127.0.0.1:1", "--remote-model", "m")
    assert (status, found["text"]) == (1, "Nothing answers at http://127.0.0.1:1/v1")
