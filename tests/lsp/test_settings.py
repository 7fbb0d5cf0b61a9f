"""Layers of settings, seen from inside; over the wire they are in test_session.py."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from llmstep.lsp.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Wire:
    """What the server would send."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def put(self, encode: Callable[[], bytes]) -> None:
        self.sent.append(json.loads(encode()))

    @property
    def messages(self) -> list[str]:
        return [each["params"]["message"] for each in self.sent if each["method"] == "window/showMessage"]


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def server(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Session:
    for name in ("LLMSTEP_MODEL", "LLMSTEP_DEVICE", "LLMSTEP_PORT"):
        monkeypatch.delenv(name, raising=False)
    server = Session()
    server.protocol.outbox = wire  # type: ignore[assignment]
    return server


def test_later_layers_win_and_leave_the_rest(server: Session) -> None:
    server.sync.initialize({"goalProvider": "client", "count": 3, "http": {"port": 1}})
    server.sync.push({"count": 4, "http": {"enabled": False}})
    assert server.settings.goal_provider == "client"
    assert server.settings.count == 4
    assert (server.settings.http.port, server.settings.http.enabled) == (1, False)


def test_a_push_replaces_the_one_before(server: Session) -> None:
    server.sync.push({"count": 4, "temperature": 0.1})
    server.sync.push({"count": 5})
    assert (server.settings.count, server.settings.temperature) == (5, 0.7)


def test_null_is_no_value(server: Session) -> None:
    server.sync.initialize({"count": 3})
    server.sync.push({"count": None, "http": None})
    assert server.settings.count == 3


@pytest.mark.parametrize(
    "settings", [{"llmstep": {"count": 4}}, {"count": 4}, {"llmstep.count": 4}, {"llmstep": {"count": 4}, "lean4": {}}]
)
def test_forms_in_which_editors_push(server: Session, settings: Any) -> None:
    server.sync.push(settings)
    assert server.settings.count == 4


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"count": "many"}, "The setting llmstep.count is 'many'. It must be a whole number."),
        ({"count": 0}, "The setting llmstep.count is 0. It must be at least 1."),
        ({"trigger": "always"}, "The setting llmstep.trigger is 'always'. It must be one of onDemand, onIdle."),
        ({"modle": "x"}, "There is no setting llmstep.modle. Did you mean llmstep.model?"),
        ({"http": {"prot": 1}}, "There is no setting llmstep.http.prot. Did you mean llmstep.http.port?"),
        ({"llmstep": 3}, "The settings of llmstep must be an object, not 3. Correct them."),
    ],
)
def test_a_wrong_value_is_told_and_all_others_hold(server: Session, wire: Wire, settings: Any, sentence: str) -> None:
    server.sync.push({"count": 7, "model": "starter"})
    server.sync.push({"model": "starter", "temperature": 0.5, **settings})
    assert wire.messages == [sentence]
    whole = "llmstep" in settings  # then there is nothing else to take
    assert (server.settings.count, server.settings.model) == (7 if whole or "count" in settings else 10, "starter")
    assert server.settings.temperature == (0.7 if whole else 0.5)
    server.sync.push({"model": "starter", "temperature": 0.5, **settings})
    assert wire.messages == [sentence], "told once while it stays"
    server.sync.push({"count": 8})
    assert server.settings.count == 8
    server.sync.push(settings)
    assert wire.messages == [sentence] * 2, "told again when it has come again"


def test_files_lie_below_the_editor(
    server: Session, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, project = tmp_path / "config.toml", tmp_path / "llmstep.toml"
    own.write_text("count = 3\ntemperature = 0.2\ncuont = 1\n")
    project.write_text('topP = 0.5\nmodel = "./weights"\n[remote]\nurl = "http://elsewhere"\n')
    monkeypatch.setenv("LLMSTEP_CONFIG", str(own))
    server.sync.initialize({"temperature": 0.4}, tmp_path)
    settings = server.settings
    assert (settings.count, settings.temperature, settings.top_p) == (3, 0.4, 0.5)
    assert (settings.model, settings.remote.url) == ("auto", "")
    told = [
        f"There is no setting llmstep.cuont ({own}). Did you mean llmstep.count?",
        f"The setting llmstep.model is not for a project to set ({project}). Set it in your own file, {own}.",
        f"The setting llmstep.remote.url is not for a project to set ({project}). Set it in your own file, {own}.",
    ]
    assert wire.messages == told
    server.sync.push({"count": 5})
    assert server.settings.count == 5
    server.sync.push({})
    assert server.settings.count == 3
    assert wire.messages == told


WRONG = {
    "count": float("nan"),
    "temperature": float("inf"),
    "topP": -float("inf"),
    "maxNewTokens": 10**5000,
    "idleDelayMs": 1e400,
    "lean.timeoutSeconds": 10**400,
    "model": "a\ud800b",
    "template": "a\0b",
    "device": ["cpu"],
    "http": 3,
    "lean": {"command": ["lean\n"]},
    "x" * 5000: 1,
    "check": {"check": {"check": {"enabled": True}}},
}


def test_each_wrong_initialization_option_is_told_and_all_others_hold(server: Session, wire: Wire) -> None:
    server.sync.initialize({**WRONG, "http.port": 6001, "trigger": "onIdle", "remote": {"model": "m", "urll": "x"}})
    assert len(wire.messages) == 6, "the first five, and how many more there are"
    assert wire.messages[-1] == "9 more settings are wrong. Correct them in the settings."
    assert all(len(message) < 300 for message in wire.messages)
    assert (server.settings.http.port, server.settings.trigger) == (6001, "onIdle")
    assert server.settings.remote.model == "m"
    assert server.settings.count == 10


@pytest.mark.parametrize("name", WRONG, ids=lambda name: name[:20])
def test_what_is_said_about_a_wrong_value_is_one_short_sentence(server: Session, wire: Wire, name: str) -> None:
    before = server.settings
    server.sync.initialize({name: WRONG[name]})
    [message] = wire.messages
    assert re.match(r"(The setting|There is no setting) llmstep\.[\w.]+ ?.*\. \w.*[.?]$", message), message
    assert len(message) < 300
    assert server.settings == before


def test_a_wrong_environment_is_told_and_the_editor_holds(
    server: Session, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMSTEP_PORT", "9" * 5000)
    server.sync.push({"count": 3})
    assert server.settings.count == 3
    [message] = wire.messages
    assert message.startswith("The setting llmstep.http.port is '999")
    assert "(LLMSTEP_PORT)" in message
    assert len(message) < 250


def test_the_environment_wins_over_the_editor(server: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMSTEP_PORT", "6123")
    server.sync.push({"http": {"port": 6001}})
    assert server.settings.http.port == 6123


def test_a_chosen_model_holds_until_the_editor_changes_its_own(server: Session) -> None:
    server.sync.push({"model": "starter"})
    server.sync.override(model="byt5-state")
    server.sync.push({"model": "starter", "count": 3})
    assert (server.settings.model, server.settings.count) == ("byt5-state", 3)
    server.sync.push({"model": "auto"})
    assert server.settings.model == "auto"
