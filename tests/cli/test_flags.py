"""The options that stand for settings: their place in each command, and what they become."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from llmstep.cli import app
from llmstep.cli.flags import ENGINE, FLAGS, Given, takes_settings
from llmstep.settings import all_settings

if TYPE_CHECKING:
    from .conftest import Run

COMMANDS = (["suggest"], ["prove"], ["serve"], ["doctor"], ["mcp"], ["bench", "search"], ["bench", "quality"])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_options_stand_together_in_every_command(words: list[str]) -> None:
    command: Any = get_command(app)
    for word in words:
        command = command.commands[word]
    names = [parameter.name for parameter in command.params]
    first = names.index("model")
    assert tuple(names[first : first + len(ENGINE)]) == ENGINE
    for parameter in command.params[first : first + len(ENGINE)]:
        assert "--" + parameter.name.rstrip("_").replace("_", "-") in parameter.opts
        assert not parameter.secondary_opts  # no --no-allow-non-loopback
        if parameter.name in FLAGS:
            setting = all_settings()[FLAGS[parameter.name].setting]
            assert parameter.help.startswith(setting.metadata["doc"])
            assert all(choice in parameter.help for choice in setting.choices)


@pytest.mark.parametrize(
    "words",
    [
        ("suggest", "A.lean", "--line", "1", "--column", "1"),
        ("prove", "A.lean", "--line", "1"),
        ("serve",),
        ("doctor",),
        ("bench", "search", "--theorems", "a.jsonl", "--lean-project", "."),
        ("bench", "quality", "--goals", "a.jsonl", "--lean-project", "."),
    ],
)
def test_every_command_reads_them(llmstep: Run, words: tuple[str, ...]) -> None:
    ended = llmstep(*words, "--remote-url", "http://127.0.0.1:1")
    assert ended.status == 2
    assert "There is a --remote-url, but the model runs in this process." in ended.err
    assert ended.out == ""


def test_a_format_is_one_of_this_process(llmstep: Run) -> None:
    ended = llmstep("serve", "--engine", "openai", "--remote-url", "http://127.0.0.1:1/v1", "--dtype", "int8")
    assert (ended.status, ended.out) == (2, "")
    assert "There is a --dtype, but the model runs at a server." in ended.err
    ended = llmstep("serve", "--dtype", "int7")
    assert (ended.status, ended.out) == (2, "")
    assert "llmstep.dtype is 'int7'" in ended.err
    assert "one of auto, fast, float32" in ended.err


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ([], {}),
        (["--engine", "inProcess"], {"engine": "inProcess"}),
        (["--dtype", "int8", "--engine", "inProcess"], {"dtype": "int8", "engine": "inProcess"}),
        (
            ["--engine", "openai", "--remote-url", "http://h/v1", "--remote-model", "m", "--remote-api", "chat"],
            {"engine": "openai", "remote.url": "http://h/v1", "remote.model": "m", "remote.api": "chat"},
        ),
        (
            ["--engine", "llmstep", "--api-key-file", "key", "--allow-non-loopback"],
            {"engine": "llmstep", "remote.apiKeyFile": "key", "remote.allowNonLoopback": True},
        ),
    ],
)
def test_what_is_given_becomes_settings(options: list[str], changed: dict[str, Any]) -> None:
    got: list[Any] = []

    @takes_settings(*ENGINE)
    def command(word: str, number: int = 2, *, given: Given, loud: bool = False) -> None:
        """Says nothing."""
        got.extend((word, number, loud, dict(given.values)))

    assert list(inspect.signature(command).parameters) == ["word", "number", *ENGINE, "loud"]
    alone = typer.Typer()
    alone.command()(command)
    ended = CliRunner().invoke(alone, ["hello", "--loud", *options], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    assert got == ["hello", 2, True, {**changed, "--set": None}]
    assert get_command(alone).help == "Says nothing."
