"""Servers that are not there, fail, or have no suggestion; the environment and its mistakes."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from ports import free_port
from waiting import wait_until

from .asked import AND, curls


def test_a_server_that_starts_after_lean_is_waited_for(editor_with: Any, model: Any, tmp_path: Path) -> None:
    """It comes when curl has found nobody once."""
    tried, curl = tmp_path / "tried", tmp_path / "bin" / "curl"
    curl.parent.mkdir()
    curl.write_text(f'#!/bin/sh\n"{shutil.which("curl")}" "$@"\nstatus=$?\ntouch "{tried}"\nexit $status\n')
    curl.chmod(0o755)
    port = free_port()
    model.reset("exact ⟨hp, hq⟩")
    editor = editor_with(PATH=f"{curl.parent}{os.pathsep}{os.environ['PATH']}")
    document = editor.start(f"set_option llmstep.port {port}\n" + AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    wait_until(tried.exists)
    with model.also_at(port):
        assert "1 closing" in document.wait().said
    assert [request.body["prefix"] for request in model.requests] == [""]
    document.close()


def test_no_server(editor: Any, model: Any) -> None:
    port = free_port()
    text = f"set_option llmstep.port {port}\n" + AND + "  llmstep\n  exact ⟨hp, hq⟩\n"
    document = editor.start(text)
    begun = time.monotonic()
    document.wait()
    assert time.monotonic() - begun > 9  # it may have been starting
    (message,) = document.messages
    assert (message.severity, message.start, message.end) == (2, (4, 2), (4, 9))
    assert message.text == (
        f"llmstep: no server answers at http://127.0.0.1:{port}/\n"
        "Start one with `llmstep serve`, or open this file in an editor with the llmstep extension."
    )
    assert document.actions == []
    begun = time.monotonic()
    document.change(document.text + "\n").wait()
    assert time.monotonic() - begun < 9  # nothing is waited for twice
    assert document.said == message.text
    document.close()


def test_a_failure_is_not_remembered(editor: Any, model: Any) -> None:
    model.answer = (503, {"error": "The model is loading.", "hint": "", "suggestions": []})
    document = editor.open(AND + "  llmstep\n")
    asked = document.text
    model.answer = ["exact ⟨hp, hq⟩"]
    document.change(asked + "\n").wait()
    document.change(asked.replace("llmstep", "skip")).wait()
    document.change(asked).wait()
    assert [a.text for a in document.actions] == ["exact ⟨hp, hq⟩"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            (503, {"error": "The model is too large.", "hint": "Choose a smaller one.", "suggestions": []}),
            "the server says: The model is too large.\nChoose a smaller one.",
        ),
        ((200, {"error": "old servers do this"}), "the server says: old servers do this"),
        ((404, {"detail": "x"}), "the server's answer (status 404) has no suggestions. Is it an llmstep server?"),
        ((200, {"suggestions": [1]}), "the server's answer (status 200) has no suggestions. Is it an llmstep server?"),
        ((500, {"suggestions": []}), "the server's answer (status 500) is an error. Is it an llmstep server?"),
        ((502, b"<html>\nbad gateway"), "the server's answer (status 502) is not JSON. Is it an llmstep server?"),
        ((200, b""), "the server's answer (status 200) is not JSON. Is it an llmstep server?"),
    ],
)
def test_errors_of_the_server(editor: Any, model: Any, answer: Any, said: str) -> None:
    model.answer = answer
    document = editor.open(AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    (message,) = document.messages
    assert (message.severity, message.text) == (2, f"llmstep: {said}")


def test_no_suggestion(editor: Any, model: Any) -> None:
    document = editor.open(AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    assert document.said == "llmstep: the server has no suggestion for this goal."


def test_nothing_valid(editor: Any, model: Any) -> None:
    model.reset("exact hr", "skip", "exact ⟨hp", "exact hr")
    document = editor.open(AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    assert document.said == (
        "llmstep: 4 suggestions came, and none is valid here:\n"
        "  exact hr -- Unknown identifier `hr`\n"
        "  skip -- changes nothing\n"
        "  exact ⟨hp -- expected '⟩'"
    )
    assert document.actions == []


def test_time_limit(editor: Any, model: Any) -> None:
    model.hold.clear()
    document = editor.open("set_option llmstep.timeout 1\n" + AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    assert document.said == (
        f"llmstep: the server at http://127.0.0.1:{model.port}/ did not answer within 1 seconds.\n"
        "The model may still be loading; `set_option llmstep.timeout` sets the time."
    )


def test_a_full_url_as_host(editor: Any, model: Any) -> None:
    model.reset("exact ⟨hp, hq⟩")
    url = f"http://127.0.0.1:{model.port}/deep/path?x=[1]"
    document = editor.open(f'set_option llmstep.host "{url}"\n' + AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    assert model.requests[-1].path == "/deep/path?x=[1]"
    assert "1 closing" in document.said


def test_a_host_cannot_inject_curl_options(editor: Any, model: Any, tmp_path: Path) -> None:
    host = f"--output {tmp_path}/stolen http://127.0.0.1:{model.port}/"
    document = editor.open(f'set_option llmstep.host "{host}"\n' + AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    assert document.said.startswith("llmstep: the server at ")
    assert "could not be asked" in document.said
    assert list(tmp_path.iterdir()) == []


def test_environment(editor_with: Any, model: Any, tmp_path: Path) -> None:
    """LLMSTEP_HOST, LLMSTEP_PORT, a token in a file; a proxy is not asked about this machine; options win."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "token").write_text('s3"cret\n')
    editor = editor_with(
        LLMSTEP_HOST="localhost",
        LLMSTEP_PORT=str(model.port),
        LLMSTEP_TOKEN_FILE=str(tmp_path / "token"),
        http_proxy=f"http://127.0.0.1:{free_port()}",
        TMPDIR=str(tmp_path / "tmp"),
    )
    model.reset("exact ⟨hp, hq⟩")
    model.hold.clear()
    document = editor.start(AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    assert model.asked.wait(60)
    assert "cret" not in str(curls())
    (header,) = (tmp_path / "tmp").iterdir()
    assert header.stat().st_mode & 0o777 == 0o600
    model.hold.set()
    assert "1 closing" in document.wait().said
    assert list((tmp_path / "tmp").iterdir()) == []
    assert model.requests[-1].headers["Host"] == f"localhost:{model.port}"
    assert model.requests[-1].headers["Authorization"] == 'Bearer s3"cret'
    options = f'set_option llmstep.host "127.0.0.1"\nset_option llmstep.port {free_port()}\n'
    said = editor.open(options + AND + "  llmstep\n  exact ⟨hp, hq⟩\n").said
    assert said.startswith("llmstep: no server answers at http://127.0.0.1:")


def test_colab(editor_with: Any, model: Any) -> None:
    editor = editor_with(LLMSTEP_SERVER="COLAB", LLMSTEP_HOST=f"127.0.0.1:{model.port}/colab", LLMSTEP_PORT="1")
    model.reset("exact ⟨hp, hq⟩")
    assert "1 closing" in editor.open(AND + "  llmstep\n  exact ⟨hp, hq⟩\n").said
    assert model.requests[-1].path == "/colab"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"LLMSTEP_SERVER": "COLAB"},
            "LLMSTEP_SERVER is COLAB, but LLMSTEP_HOST is not set.\n"
            "Set LLMSTEP_HOST to the URL that the notebook printed.",
        ),
        (
            {"LLMSTEP_PORT": "six", "LLMSTEP_HOST": ""},
            "LLMSTEP_PORT is six, which is not a number.\nSet it to the llmstep server's port, or unset it.",
        ),
        ({"LLMSTEP_TOKEN_FILE": "/no/such"}, "LLMSTEP_TOKEN_FILE names /no/such, which cannot be read."),
        (
            {"PATH": "/nowhere"},
            "the program `curl` was not found.\nInstall it, or put it on the PATH of the Lean server.",
        ),
    ],
)
def test_mistakes_in_the_environment(editor_with: Any, model: Any, variables: dict[str, str], said: str) -> None:
    document = editor_with(**variables).open(AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    (message,) = document.messages
    assert (message.severity, message.text) == (2, f"llmstep: {said}")
    assert model.requests == []
