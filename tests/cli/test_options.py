from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmstep.cli.options import configured, lean_command, read_token
from llmstep.errors import SettingsError
from llmstep.settings import HttpSettings, LeanSettings, Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLMSTEP_MODEL", "LLMSTEP_DEVICE", "LLMSTEP_PORT", "LLMSTEP_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_given_is_the_default() -> None:
    assert configured({"model": None, "http.port": None}).settings == Settings()


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMSTEP_MODEL", "byt5-small")
    monkeypatch.setenv("LLMSTEP_PORT", "6001")
    assert configured({}).settings == Settings(model="byt5-small", http=HttpSettings(port=6001))
    changed = configured({"model": "starter", "http.port": 6002, "http.host": "::1", "count": 3}).settings
    assert changed == Settings(model="starter", count=3, http=HttpSettings(host="::1", port=6002))


def test_one_option_of_a_section_leaves_the_others() -> None:
    changed = configured({"lean.command": ["lean", "--server"]}).settings
    assert changed == Settings(lean=LeanSettings(command=("lean", "--server")))


def test_wrong_values_name_the_setting() -> None:
    with pytest.raises(SettingsError, match=r"The setting llmstep\.temperature is -1\.0\. It must be at least 0"):
        configured({"temperature": -1.0})


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (None, None),
        ("lake", ["lake", "serve", "--"]),
        ("/opt/elan/bin/lake", ["/opt/elan/bin/lake", "serve", "--"]),
        ("lean", ["lean", "--server"]),
        ("./bin/lean", ["./bin/lean", "--server"]),
        ("lake serve -- -DmaxHeartbeats=0", ["lake", "serve", "--", "-DmaxHeartbeats=0"]),
        ("lean --server -q", ["lean", "--server", "-q"]),
        ("'/my lean/bin/lean' --server", ["/my lean/bin/lean", "--server"]),
        ("'/my lean/bin/lean'", ["/my lean/bin/lean", "--server"]),
    ],
)
def test_lean_command(option: str | None, words: list[str] | None) -> None:
    assert lean_command(option) == words


def test_a_program_in_a_folder_with_a_blank_needs_no_quotes(tmp_path: Path) -> None:
    program = tmp_path / "my lean" / "lean"
    program.parent.mkdir()
    program.touch()
    assert lean_command(str(program)) == [str(program), "--server"]


@pytest.mark.parametrize(("option", "message"), [("", "is empty"), ("  ", "is empty"), ("'lean", "cannot be read")])
def test_wrong_lean_commands(option: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        lean_command(option)


def test_the_token_of_a_file_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_token(None) is None
    monkeypatch.setenv("LLMSTEP_TOKEN", "")
    assert read_token(None) is None
    monkeypatch.setenv("LLMSTEP_TOKEN", "of-the-environment")
    assert read_token(None) == "of-the-environment"
    file = tmp_path / "token"
    file.write_text("\n  of-the-file-0123  \r\n")
    assert read_token(file) == "of-the-file-0123"


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"short", b"0123456789abcde", b"two words are no token", "schlüssel-schlüssel".encode()]
)
def test_tokens_that_cannot_be_sent_or_are_guessed(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read_token(file)
    assert caught.value.message == f"The file {file} holds no usable token."
    assert "secrets.token_urlsafe" in caught.value.hint


def test_a_file_of_tokens_by_name(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("ada  ada-0123456789abcdef\r\n\nemmy emmy-0123456789abcdef\n")
    assert read_token(file) == {"ada": "ada-0123456789abcdef", "emmy": "emmy-0123456789abcdef"}
    file.write_text("ada ada-0123456789abcdef")
    assert read_token(file) == {"ada": "ada-0123456789abcdef"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("ada ada-0123456789abcdef\nada ada-0123456789abcdeg", "names ada twice"),
        ("ada ada-0123456789abcdef\nnameless-0123456789abcdef", "holds no list of tokens"),
        ("ada short", "holds no usable token"),
    ],
)
def test_a_file_of_tokens_that_is_none(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(content)
    with pytest.raises(SettingsError, match=said):
        read_token(file)


def test_a_token_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_token(tmp_path / "absent")
    with pytest.raises(SettingsError, match=r"Is a directory|Permission denied"):
        read_token(tmp_path)
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe" * 20)
    with pytest.raises(SettingsError, match="it is no text"):
        read_token(binary)
