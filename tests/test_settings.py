"""Settings as editors send them: every field decodes, every mistake is named."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from llmstep.errors import SettingsError
from llmstep.setting_values import wire_name
from llmstep.settings import Settings


def fields(cls: type, prefix: str = "") -> list[tuple[str, Any, Any]]:
    """All settings as (dotted wire name, default, documentation), sections opened."""
    found: list[tuple[str, Any, Any]] = []
    record = cls()
    for field in attrs.fields(cls):
        value, name = getattr(record, field.name), prefix + wire_name(field.name)
        if attrs.has(type(value)):
            found += fields(type(value), name + ".")
        else:
            found.append((name, value, field.metadata["doc"]))
    return found


def other(value: Any) -> Any:
    """A valid value that differs from the default."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1 if value != 1.0 else 0.5
    if isinstance(value, tuple):
        return ["lean", "--server"]
    others = {
        "auto": "cpu",
        "onDemand": "onIdle",
        "server": "client",
        "none": "lean",
        "never": "once",
        "on": "off",
    }
    return others.get(value, "other")


def get(settings: Settings, name: str) -> Any:
    for part in name.split("."):
        record = settings
        settings = next(getattr(record, f.name) for f in attrs.fields(type(record)) if wire_name(f.name) == part)
    return settings


ALL = fields(Settings)


@pytest.mark.parametrize(("name", "default", "doc"), ALL, ids=[name for name, *_ in ALL])
def test_every_setting_decodes_dotted_and_nested(name: str, default: Any, doc: str) -> None:
    chosen = {"dtype": "float32", "engine": "vllm", "remote.api": "chat", "thinkingEffort": "low"}
    value = {**chosen, "proveStrategy": "write"}.get(name) or other(default)
    expected = tuple(value) if isinstance(value, list) else value
    dotted = Settings.decode({name: value})
    assert get(dotted, name) == expected != default
    nested: Any = value
    for part in reversed(name.split(".")):
        nested = {part: nested}
    assert Settings.decode(nested) == dotted
    assert Settings.decode({"llmstep": nested}) == dotted
    assert doc.endswith("."), "every setting says what it does"
    unchanged = [n for n, *_ in ALL if n != name]
    assert all(get(dotted, n) == get(Settings(), n) for n in unchanged)


def test_null_means_the_default() -> None:
    assert Settings.decode({"model": None, "http": {"port": None}}) == Settings()
    assert Settings.decode(None) == Settings.decode({}) == Settings()


@pytest.mark.parametrize(
    ("raw", "message", "hint"),
    [
        ({"modle": "x"}, "There is no setting llmstep.modle.", "Did you mean llmstep.model?"),
        ({"http.prot": 1}, "There is no setting llmstep.http.prot.", "Did you mean llmstep.http.port?"),
        ({"http.port": "6000"}, "The setting llmstep.http.port is '6000'.", "It must be a whole number."),
        ({"http.port": 70000}, "The setting llmstep.http.port is 70000.", "It must be at most 65535."),
        ({"count": 0}, "The setting llmstep.count is 0.", "It must be at least 1."),
        ({"count": True}, "The setting llmstep.count is True.", "It must be a whole number."),
        ({"temperature": "hot"}, "The setting llmstep.temperature is 'hot'.", "It must be a number."),
        ({"device": "gpu"}, "The setting llmstep.device is 'gpu'.", "It must be one of auto, cpu, cuda, mps."),
        ({"check.enabled": "no"}, "The setting llmstep.check.enabled is 'no'.", "It must be true or false."),
        ({"engine": "tgi"}, "The setting llmstep.engine is 'tgi'.", "It must be one of auto, inProcess, openai, vllm,"),
        (
            {"remote.api": "rpc"},
            "The setting llmstep.remote.api is 'rpc'.",
            "It must be one of auto, comp",
        ),
        ({"remote.timeoutSeconds": 0}, "The setting llmstep.remote.timeoutSeconds is 0.0.", "It must be at least 1."),
        ({"remote.timeoutSeconds": 7200}, "The setting llmstep.remote.timeoutSeconds is 7200.0.", "It must be at most"),
        ({"remote.apiKey": "secret"}, "There is no setting llmstep.remote.apiKey.", "Did you mean llmstep.remote."),
        ({"model": 7}, "The setting llmstep.model is 7.", "It must be a text."),
        ({"lean.command": "lake serve"}, "The setting llmstep.lean.command is 'lake serve'.", "It must be a list"),
        ({"lean.command": [1]}, "The setting llmstep.lean.command is [1].", "It must be a list of words."),
        ({"http": 6000}, "The setting llmstep.http must be an object, not 6000.", "Correct it"),
    ],
)
def test_mistakes_are_named(raw: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.decode(raw)
    assert caught.value.message == message
    assert caught.value.hint.startswith(hint)


def test_defaults_ask_no_other_machine_and_load_no_model_twice() -> None:
    settings = Settings()
    assert (settings.engine, settings.in_process, settings.share_model) == ("auto", True, True)
    assert not settings.remote.allow_non_loopback
    assert not settings.inline_completion.enabled
    assert settings.inlay_hints.insert_on_double_click
