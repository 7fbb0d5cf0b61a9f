"""The pages: links lead to files of the repository, and the tests, commands and options that they name are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from benchmarks.__main__ import app as benchmarks_app
from llmstep.cli import app as llmstep_app

ROOT = Path(__file__).resolve().parents[1]
FRONT = ("README.md", "CONTRIBUTING.md", "vscode-extension/README.md")
PAGES = [*(ROOT / name for name in FRONT), *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(?:#[^)]*)?\)")
_PICTURE = re.compile(r'(?:src|srcset)="(?!https?://)([^"]+)"')
_TEST = re.compile(r"`(tests/[\w/]+\.py)`((?:[^|`]*`test_\w+`)?)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [*_LINK.findall(text), *_PICTURE.findall(text)]
    assert [link for link in links if not (page.parent / link).exists()] == []
    named = re.findall(r"`(tests/[a-z0-9_/]+\.py)`", text)  # test_NAME.py stands for any
    assert [file for file in named if not (ROOT / file).is_file()] == []


def test_the_tests_that_the_table_of_servers_names_exist() -> None:
    page = ROOT / "docs" / "servers.md"
    named = _TEST.findall(page.read_text(encoding="utf-8"))
    assert len(named) >= 6
    for file, rest in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        for function in re.findall(r"`(test_\w+)`", rest):
            assert f"def {function}(" in source, (file, function)


def commands(text: str) -> list[list[str]]:
    """The words of every command in the blocks and backquotes of a page; lines that go on are one."""
    blocks = re.findall(
        r"```(?:sh|console)?\n(.*?)```|^ {4}((?:llmstep|make|uvx|pipx) [^\n]*)$", text, re.DOTALL | re.MULTILINE
    )
    lines = [line for parts in blocks for part in parts for line in part.replace("\\\n", " ").split("\n")]
    lines += re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    lines = [re.sub(r"\"[^\"]*\"|\s+", " ", line) for line in lines]
    start = r"(?:^|[\s(=$])(?:python -m )?(llmstep|benchmarks|make) +([^#|;]*)"
    found = [
        re.match(r"(?:\S*\$ +|[A-Z_]+=\S+ +|\$\(.*?\) *|uvx --from \S+ +)*" + start, line.strip()) for line in lines
    ]
    return [[each[1], *each[2].replace(")", " ").split()] for each in found if each]


def walk(command: Any, words: list[str]) -> tuple[Any, list[str]]:
    """The command that words name, and the options behind it."""
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, [word.partition("=")[0].rstrip(".,:") for word in words if re.match(r"--?[a-zA-Z]", word)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_their_options_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    trees = {"llmstep": get_command(llmstep_app), "benchmarks": get_command(benchmarks_app)}
    wrong = []
    for program, *words in commands(page.read_text(encoding="utf-8")):
        if program == "make":
            wrong += [f"make {word}" for word in words[:1] if re.fullmatch(r"[a-z-]+", word) and word not in targets]
            continue
        command, options = walk(trees[program], words)
        known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}
        if command is trees[program] and words and re.fullmatch(r"[a-z]+", words[0]):
            wrong.append(f"{program} {words[0]}")
        wrong += [f"{program} {' '.join(words[:2])} {each}" for each in options if each not in known]
    assert wrong == []
