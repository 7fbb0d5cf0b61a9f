"""`llmstep settings`, hints that name options, help with examples, completion, colours."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from output_schema import checked
from typer.main import get_command

from llmstep.cli import app
from llmstep.cli.command import in_terminal, options_of
from llmstep.cli.flags import FLAGS
from llmstep.settings import all_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Run


def commands(command: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group, with the words that call it."""
    command = command or get_command(app)
    yield words, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*words, name))


def test_the_table_says_where_values_come_from(llmstep: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("threads = 3\ncuont = 1\n")
    (tmp_path / "llmstep.toml").write_text("topP = 0.5\n")
    options = ("--changed", "--for", str(tmp_path), "--set", "check.enabled=off")
    ended = llmstep("settings", *options, LLMSTEP_CONFIG=str(config), LLMSTEP_COUNT="4")
    assert ended.status == 2
    rows = [re.split(r"\s{2,}", line.strip()) for line in ended.out.splitlines()]
    assert rows[:5] == [
        ["setting", "value", "from"],
        ["threads", "3", str(config)],
        ["count", "4", "LLMSTEP_COUNT"],
        ["topP", "0.5", str(tmp_path / "llmstep.toml")],
        ["check.enabled", "false", "command line"],
    ]
    assert ended.err == f"llmstep: There is no setting llmstep.cuont ({config}). Did you mean llmstep.count?\n"


def test_json_and_names(llmstep: Run, tmp_path: Path) -> None:
    ended = llmstep("settings", "--json", "--for", str(tmp_path))
    found = checked("settings", ended.out)
    assert [each["name"] for each in found["settings"]] == list(all_settings())
    assert (found["files"], found["faults"]) == ({"user": None, "project": None}, [])
    assert all(each["value"] == each["default"] and each["origin"] == "default" for each in found["settings"])
    ended = llmstep("settings", "http", "llmstep.count", "--json")
    assert [each["name"] for each in checked("settings", ended.out)["settings"]] == [
        "count",
        "http.enabled",
        "http.host",
        "http.port",
    ]
    ended = llmstep("settings", "htp")
    assert (ended.status, ended.err) == (2, "llmstep: There is no setting llmstep.htp. `llmstep settings` lists all.\n")
    assert llmstep("settings", "--path", LLMSTEP_CONFIG="/x/y.toml").out == "/x/y.toml\n"


def test_a_wrong_file_is_told_and_the_command_works(llmstep: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('count = 2\ntemperature = "hot"\nmodel = "starter"\n')
    goal = b"p q : Prop\nhp : p\n\xe2\x8a\xa2 p \xe2\x88\xa8 q"
    ended = llmstep("suggest", "--goal-file", "-", "--json", stdin=goal, LLMSTEP_CONFIG=str(config))
    assert ended.status == 0
    assert len(json.loads(ended.out)["suggestions"]) <= 2
    assert ended.err.startswith(f"llmstep: The setting llmstep.temperature is 'hot' ({config}). It must be a number.\n")


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("Set llmstep.device to auto or cpu.", "Set --device to auto or cpu."),
        ("Lower llmstep.count or llmstep.maxNewTokens.", "Lower --count or maxNewTokens (--set maxNewTokens=VALUE)."),
        ("If so, set llmstep.trustRemoteCode to true; else", "If so, give --set trustRemoteCode=true; else"),
        ("If you agree, set llmstep.remote.allowNonLoopback to true.", "If you agree, give --allow-non-loopback."),
        ("Correct llmstep.remote.url.", "Correct --remote-url."),
        ("Install Lean, or set llmstep.lean.command.", "Install Lean, or give --lean."),
        ("Set llmstep.remote.command, or not.", "Give --set remote.command=VALUE, or not."),
        ("Set llmstep.template to one of a, b.", "Set --template to one of a, b."),
        ("See its llmstep.json, and llmstep.remote.", "See its llmstep.json, and llmstep.remote."),
        ("Did you mean llmstep.http.port?", "Did you mean http.port (--set http.port=VALUE)?"),
    ],
)
def test_hints_name_the_options_of_the_command(hint: str, said: str) -> None:
    [suggest] = [each for words, each in commands() if words == ("suggest",)]
    assert in_terminal(hint, options_of(suggest.params)) == said


def test_the_options_that_stand_for_settings_are_the_same_everywhere() -> None:
    assert {flag.setting for flag in FLAGS.values()} <= set(all_settings())
    seen: dict[str, set[tuple[str, ...]]] = {}
    for words, command in commands():
        if words and words[0] in ("suggest", "prove", "serve", "doctor"):
            for each in command.params:
                if each.name in FLAGS:
                    seen.setdefault(each.name, set()).add(tuple(each.opts))
    assert {name: len(spellings) for name, spellings in seen.items()} == dict.fromkeys(seen, 1)
    assert {"count", "model", "device", "temperature", "premise_index"} <= set(seen)


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_every_help_has_an_example(llmstep: Run, words: tuple[str, ...]) -> None:
    ended = llmstep(*words, "--help", COLUMNS="200")
    assert ended.status == 0
    told = re.sub(r"\s+", " ", ended.out)
    assert re.search(rf"Example[^:]*: (\S+ )*llmstep {' '.join(words)}".rstrip(), told), told


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(llmstep: Run, flag: str) -> None:
    from llmstep import __version__

    assert llmstep(flag).out == f"llmstep {__version__}\n"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("llmstep sug", {"suggest"}),
        ("llmstep models sh", {"show"}),
        ("llmstep suggest --model byt", {"byt5-small"}),
        ("llmstep suggest --set topP", {"topP="}),
        ("llmstep suggest --set automation=o", {"automation=on", "automation=off"}),
        ("llmstep models show bfs-prover-v2-3", {"bfs-prover-v2-32b"}),
        ("llmstep serve --template internlm25", {"internlm25-step"}),
    ],
)
def test_a_shell_completes(line: str, offered: set[str]) -> None:
    words = line.split(" ")
    environment = {"_LLMSTEP_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        ["llmstep"],
        executable=os.path.join(os.path.dirname(sys.executable), "llmstep"),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == offered


def test_no_color(tmp_path: Path) -> None:
    """Also where colours would be forced."""
    code = "import sys; sys.stderr.isatty = sys.stdout.isatty = lambda: True; from llmstep.cli import main; main()"
    for variables, coloured in ({"NO_COLOR": "1"}, False), ({}, True):
        inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        for words in (["suggest", "nowhere.lean:1:1"], ["doctor", "--model", "startr", str(tmp_path)]):
            done = subprocess.run(
                [sys.executable, "-c", code, *words],
                env={**inherited, **variables, "PATH": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert ("\x1b[3" in done.stdout + done.stderr) is coloured, (words, variables, done)
