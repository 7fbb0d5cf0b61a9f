"""The options of the engine: their place in each command, and what they become."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from llmstep.cli import app
from llmstep.cli.engine_flags import EngineFlags, takes_engine

if TYPE_CHECKING:
    from .conftest import Run

MODEL = ["model", "template", "device"]
FLAGS = [
    *MODEL,
    "dtype",
    "engine",
    "remote_url",
    "remote_model",
    "remote_api",
    "api_key_file",
    "allow_non_loopback",
    "set_",
]
OPTIONS = ["--" + name.rstrip("_").replace("_", "-") for name in FLAGS[3:]]
NONE: dict[str, Any] = {
    **dict.fromkeys(MODEL),
    "dtype": None,
    "engine": None,
    "remote.url": None,
    "remote.model": None,
    "remote.api": None,
    "remote.apiKeyFile": None,
    "remote.allowNonLoopback": None,
    "--set": None,
}


@pytest.mark.parametrize(
    ("words", "before"),
    [
        (["suggest"], "seed"),
        (["prove"], "seed"),
        (["serve"], "count"),
        (["doctor"], "lean"),
        (["bench", "search"], "seed"),
        (["bench", "quality"], "seed"),
    ],
)
def test_the_options_stand_together_in_every_command(words: list[str], before: str) -> None:
    command: Any = get_command(app)
    for word in words:
        command = command.commands[word]
    names = [parameter.name for parameter in command.params]
    first = names.index("model")
    assert names[first - 1 : first + len(FLAGS)] == [before, *FLAGS]
    flags = command.params[first + len(MODEL) : first + len(FLAGS)]
    assert [parameter.opts for parameter in flags] == [[option] for option in OPTIONS]
    assert not any(parameter.secondary_opts for parameter in flags)  # no --no-allow-non-loopback


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

    @takes_engine
    def command(word: str, number: int = 2, *, engine: EngineFlags, loud: bool = False) -> None:
        """Says nothing."""
        got.extend((word, number, loud, engine.settings()))

    assert list(inspect.signature(command).parameters) == ["word", "number", *FLAGS, "loud"]
    alone = typer.Typer()
    alone.command()(command)
    ended = CliRunner().invoke(alone, ["hello", "--loud", *options], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    assert got == ["hello", 2, True, {**NONE, **changed}]
    assert get_command(alone).help == "Says nothing."
