"""The endpoint as clients use it: the real process, the real engine, the starter model, plain clients."""

from __future__ import annotations

import json
import math
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest
from waiting import wait_until

from .serving import CONJUNCTION, Served, request_bytes, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("gate")) as made:
        yield made


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
