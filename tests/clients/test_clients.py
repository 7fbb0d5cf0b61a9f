"""litellm and langchain-openai, as their users write them, against a running `llmstep serve`: `make test-clients`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from llmstep.http.fair_queue import MAX_PER_CLIENT

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON = os.environ.get("LLMSTEP_TEST_CLIENTS", "")
TOKEN = "a-token-for-the-tests-0123456789"
PROMPT = "[GOAL]p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q[PROOFSTEP]"

pytestmark = pytest.mark.skipif(not PYTHON, reason="LLMSTEP_TEST_CLIENTS names no Python (make test-clients)")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    command = [sys.executable, "-m", "llmstep", "serve", "--port", "0", "--model", "starter", "--device", "cpu"]
    environment = {**os.environ, "LLMSTEP_TOKEN": TOKEN}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as served:
        assert served.stdout is not None
        found = re.search(r"listens at (\S+)", served.stdout.readline())
        assert found is not None
        yield found[1]
        served.kill()


@pytest.fixture(scope="module")
def expected(url: str) -> str:
    """The one greedy answer, asked for by hand."""
    body = {"prompt": PROMPT, "temperature": 0, "max_tokens": 64}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return str(httpx.post(f"{url}/v1/completions", json=body, headers=headers).json()["choices"][0]["text"])


def run(program: str, url: str, *more: str) -> dict[str, Any]:
    """What a program prints."""
    file = Path(__file__).with_name(f"with_{program}.py")
    ended = subprocess.run(
        [PYTHON, str(file), url, TOKEN, PROMPT, *more], capture_output=True, text=True, timeout=240, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def check_refusals(found: dict[str, Any], too_long: str, token: str, tools: str) -> None:
    """The classes of the client's errors, with the server's sentence in each."""
    assert (found["too_long"]["class"], found["token"]["class"], found["tools"]["class"]) == (too_long, token, tools)
    assert "maximum context length" in found["too_long"]["said"]
    assert "This server needs a token." in found["token"]["said"]
    for each in ("too_long", "token", "tools"):
        assert "Traceback" not in found[each]["said"]


def test_litellm(url: str, expected: str) -> None:
    found = run("litellm", url)
    assert expected
    assert found["completion"] == found["stream"] == expected
    assert found["several"] == [expected] * len(found["several"])
    assert found["usage"] > 0
    assert found["chat"]
    assert found["chat_stream"] == found["chat"]
    assert found["ollama"]
    assert found["ollama_chat"] == found["ollama_chat_stream"] == found["chat"]
    check_refusals(found, "ContextWindowExceededError", "AuthenticationError", "BadRequestError")
    assert "without alternatives" in found["tools"]["said"]


def test_langchain(url: str, expected: str) -> None:
    found = run("langchain", url)
    assert found["completion"] == found["stream"] == expected
    assert found["several"] == [expected, expected]
    assert found["chat"]
    assert found["chat_stream"] == found["chat"]
    assert (found["turns"], found["logprobs"], found["retrieve"]) == (True, True, "starter")
    assert (found["unknown"]["class"], found["unknown"]["code"]) == ("NotFoundError", "model_not_found")
    check_refusals(found, "BadRequestError", "OpenAIAuthenticationError", "OpenAIInvalidRequestError")
    assert found["too_long"]["code"] == "context_length_exceeded"
    assert "does not know tools" in found["tools"]["said"]


@pytest.mark.parametrize("program", ["litellm", "langchain"])
def test_a_full_queue_is_told_as_a_rate_limit(url: str, program: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    body = {"prompt": PROMPT, "n": 256, "max_tokens": 4096, "temperature": 5}
    with httpx.Client(base_url=url, headers=headers, timeout=300, limits=httpx.Limits(max_connections=None)) as client:

        def ask(seed: int) -> None:
            with contextlib.suppress(httpx.HTTPError):  # left at the end
                client.post("/v1/completions", json={**body, "seed": seed})

        threads = [threading.Thread(target=ask, args=(n,), daemon=True) for n in range(2 * MAX_PER_CLIENT)]
        for thread in threads:
            thread.start()
        while client.get("/health").json()["waiting"] < MAX_PER_CLIENT:
            pass
        found = run(program, url, "busy")
    assert found["class"] == "RateLimitError"
    assert int(found["retry_after"]) >= 1
