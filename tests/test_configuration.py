"""Settings from files, environment and options: who wins, what a project may set, and what is told of mistakes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from llmstep.cli.options import SET, below, configured, option_layer
from llmstep.configuration import environment_layer, laid_over, project_layer, user_layer, variables
from llmstep.errors import SettingsError
from llmstep.setting_values import value_text
from llmstep.settings import Settings, all_settings

if TYPE_CHECKING:
    from pathlib import Path

ALL = all_settings()
OTHER = {bool: lambda value: not value, int: lambda value: value + 1, float: lambda value: value + 1}


def other(name: str) -> Any:
    """A valid value that is not the default."""
    setting = ALL[name]
    if setting.type in OTHER:
        return 0.5 if setting.type is float and setting.default == 1 else OTHER[setting.type](setting.default)
    if isinstance(setting.default, tuple):
        return ("a b", "--c")
    choices = getattr(setting.type, "__args__", ("an 'other' one",))
    return next(each for each in choices if each != setting.default)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment without settings, and the folder of the user's settings file, which is the working folder too."""
    for name in [name for name in os.environ if name.startswith("LLMSTEP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LLMSTEP_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(place: Path | None = None) -> list[str]:
    return list(map(str, laid_over(below(place)).faults))


@pytest.mark.parametrize("name", ALL)
def test_every_setting_comes_from_file_environment_and_set(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting, value = ALL[name], other(name)
    text = value_text(value)
    assert setting.read(configured({SET: [f"{name}={text}"]}).settings) == value
    with monkeypatch.context() as patch:
        patch.setenv(setting.variable, text)
        found = laid_over(below(None))
        assert (setting.read(found.settings), found.faults) == (value, ())
        assert found.origins == {name: setting.variable}
    written = repr(list(value)) if isinstance(value, tuple) else text if setting.type in OTHER else f'"{value}"'
    (home / "config.toml").write_text(f"{name} = {written}\n")
    found = laid_over(below(None))
    assert (setting.read(found.settings), found.faults) == (value, ())
    assert found.origins == {name: str(home / "config.toml")}
    assert Settings() != found.settings


def test_no_two_settings_share_a_variable() -> None:
    assert len({each.variable for each in ALL.values()}) == len(ALL)
    assert variables()["LLMSTEP_PORT"].name == variables()["LLMSTEP_HTTP_PORT"].name == "http.port"


def test_later_places_win(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config.toml").write_text("count = 1\ntemperature = 0.1\ntopP = 0.1\nmaxNewTokens = 1\nthreads = 1\n")
    project = home / "project" / "Sub"
    project.mkdir(parents=True)
    (project.parent / "llmstep.toml").write_text("count = 2\ntemperature = 0.2\ntopP = 0.2\nmaxNewTokens = 2\n")
    monkeypatch.setenv("LLMSTEP_COUNT", "3")
    monkeypatch.setenv("LLMSTEP_TEMPERATURE", "0.3")
    monkeypatch.setenv("LLMSTEP_TOP_P", "0.3")
    found = configured({"count": 5, SET: ["temperature=0.4", "count=4"]}, project / "New.lean")
    settings = found.settings
    assert (settings.count, settings.temperature, settings.top_p) == (5, 0.4, 0.3), "an option wins over --set"
    assert (settings.max_new_tokens, settings.threads, settings.idle_delay_ms) == (2, 1, 800)
    assert found.origins == {
        "count": "command line",
        "temperature": "command line",
        "topP": "LLMSTEP_TOP_P",
        "maxNewTokens": str(project.parent / "llmstep.toml"),
        "threads": str(home / "config.toml"),
    }


@pytest.mark.parametrize("name", [name for name, each in ALL.items() if each.users])
def test_a_project_names_no_command_place_or_server(name: str, home: Path) -> None:
    value = other(name)
    written = repr(list(value)) if isinstance(value, tuple) else value_text(value)
    written = written if not isinstance(value, str) else f'"{value}"'
    (home / "llmstep.toml").write_text(f"count = 3\n{name} = {written}\n")
    found = laid_over(below(home / "A.lean"))
    assert found.settings == Settings(count=3)
    [fault] = found.faults
    assert fault.message == f"The setting llmstep.{name} is not for a project to set ({home / 'llmstep.toml'})."
    assert fault.hint == f"Set it in your own file, {home / 'config.toml'}."


def test_a_project_file_of_somebody_else_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "llmstep.toml").write_text("count = 3\n")
    os.chown(home / "llmstep.toml", 12345, -1) if os.getuid() == 0 else monkeypatch.setattr(os, "getuid", lambda: 12345)
    [fault] = project_layer(home).faults
    assert fault.message == f"The file {home / 'llmstep.toml'} belongs to another user and is not used."


WRONG: list[tuple[bytes, str]] = [
    (b"count = ", "is not used: "),
    (b"\xff", "is not used: it is not UTF-8. Save it as UTF-8."),
    (b"#" * (1 << 20) + b"##", "is not used: it has more than 1 MB."),
    (b"a = " + b"[" * 5000, "is not used: "),
    (b"count = 1" + b"0" * 5000, "is not used: |The setting llmstep.count is a number of more than 60 digits"),
]


@pytest.mark.parametrize(("content", "said"), WRONG, ids=range(len(WRONG)))
def test_a_file_that_cannot_be_read_is_told_and_the_others_hold(home: Path, content: bytes, said: str) -> None:
    (home / "config.toml").write_bytes(content)
    (home / "llmstep.toml").write_text("threads = 3\n")
    found = laid_over(below(home))
    assert found.settings == Settings(threads=3)
    [fault] = found.faults
    assert any(each in str(fault) for each in said.split("|")), fault
    assert str(home / "config.toml") in fault.message
    assert len(str(fault)) < 500


def test_a_settings_file_that_is_not_there_is_told_only_where_it_was_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config.toml").unlink()
    [fault] = user_layer().faults
    assert (fault.message[-14:], fault.hint) == ("there is none.", "Write it, or unset LLMSTEP_CONFIG.")
    monkeypatch.setenv("LLMSTEP_CONFIG", os.devnull)
    assert user_layer().faults == ()
    monkeypatch.delenv("LLMSTEP_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    assert (user_layer().values, user_layer().faults) == ({}, ())
    (home / "llmstep").mkdir()
    (home / "llmstep" / "config.toml").write_text("[lean]\nopenFiles = 3\n")
    assert user_layer().values == {"lean.openFiles": 3}


def test_each_mistake_is_told_with_its_place_and_all_others_hold(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config.toml").write_text(
        'cuont = 3\ntopP = 7\nthreads = 2\n[lean]\ncommand = "lake serve"\nopenFiles = 4\n[llmstep]\n"http.port" = 7\n'
    )
    (home / "llmstep.toml").write_text("[check]\nenabled = 1\ntimeoutSeconds = 2\n[nothing]\nx = 1\n")
    monkeypatch.setenv("LLMSTEP_COUNT", "many")
    monkeypatch.setenv("LLMSTEP_CUONT", "3")
    monkeypatch.setenv("LLMSTEP_MAX_NEW_TOKENS", "9")
    monkeypatch.setenv("LLMSTEP_TEST_LEAN", "lean")
    found = laid_over(below(home))
    settings = found.settings
    assert (settings.threads, settings.lean.open_files, settings.http.port, settings.max_new_tokens) == (2, 4, 7, 9)
    assert (settings.check.timeout_seconds, settings.check.enabled, settings.count, settings.top_p) == (2, True, 10, 1)
    own, project = home / "config.toml", home / "llmstep.toml"
    assert [str(fault) for fault in found.faults] == [
        f"There is no setting llmstep.cuont ({own}). Did you mean llmstep.count?",
        f"The setting llmstep.topP is 7.0 ({own}). It must be at most 1.",
        f"The setting llmstep.lean.command is 'lake serve' ({own})."
        ' It must be a list of words such as ["lake", "serve", "--"].',
        f"The setting llmstep.check.enabled is 1 ({project}). It must be true or false.",
        f"There is no setting llmstep.nothing ({project}). Remove it; `llmstep settings` lists all settings.",
        "The setting llmstep.count is 'many' (LLMSTEP_COUNT). It must be a whole number.",
        "The environment variable LLMSTEP_CUONT is no setting of llmstep. Did you mean LLMSTEP_COUNT?",
    ]


def test_wrong_options_are_refused_and_all_are_named() -> None:
    with pytest.raises(SettingsError) as caught:
        option_layer({"count": 0, SET: ["foo=1", "topP=x"]})
    assert caught.value.message == (
        "There is no setting llmstep.foo. Remove it; `llmstep settings` lists all settings. "
        "The setting llmstep.topP is 'x'. It must be a number. The setting llmstep.count is 0."
    )
    assert caught.value.hint == "It must be at least 1."
    with pytest.raises(SettingsError, match="has no value"):
        option_layer({SET: ["count"]})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("check.enabled", "off", False),
        ("check.enabled", "YES", True),
        ("check.enabled", "maybe", "maybe"),
        ("automation", "off", "off"),
        ("lean.command", "lake serve --", ["lake", "serve", "--"]),
        ("lean.command", "'/my lean/lake' serve", ["/my lean/lake", "serve"]),
        ("lean.command", '["a b", "c"]', ["a b", "c"]),
        ("lean.command", "[", "["),
        ("lean.command", "'", "'"),
        ("topP", "1e-1", 0.1),
        ("topP", "nan", "nan"),
        ("count", " 7", 7),
        ("count", "7.0", "7.0"),
        ("count", "9" * 5000, "9" * 5000),
    ],
)
def test_texts_of_values(name: str, text: str, value: Any) -> None:
    found = ALL[name].value(text)
    assert found == value or (text == "nan" and found != found)


def test_an_empty_variable_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMSTEP_MODEL", "")
    assert (environment_layer().values, environment_layer().faults) == ({}, ())
