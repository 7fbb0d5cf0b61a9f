"""What an editor waits for: the files that are asked about, the sums, and a quick run with whole companions."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import psutil
import pytest
from processes import until_gone, wait_until_gone, words

from benchmarks.companion import companion
from benchmarks.editor import QUICK, Trip, options
from benchmarks.page import Page, file_text
from llmstep.errors import LlmstepError, RequestError
from llmstep.lean.insertion_points import find_insertion_point
from llmstep.lean.text import position_at

if TYPE_CHECKING:
    from pathlib import Path

from command_line import run

from benchmarks.__main__ import app

LENGTHS, ROUNDS = list(QUICK.lines), QUICK.rounds


def bench(*arguments: object) -> dict[str, Any]:
    """What `python -m benchmarks editor --quick --json` prints, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks", "editor", "--quick", "--json", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return dict(json.loads(done.stdout))


def check_trips(trips: dict[str, Any]) -> None:
    for kind in ("change", "action", "hint"):
        trip = trips[kind]
        assert trip["count"] == ROUNDS
        assert 0 < trip["median_ms"] <= trip["p99_ms"] <= trip["worst_ms"]
    assert trips["actions"] > 2  # more than those that start something: suggestions were known each time
    assert trips["hints"] == 1


def test_the_file_has_its_lines_and_an_unfinished_theorem_at_its_end() -> None:
    texts = [file_text(lines, 0) for lines in (5, 100, 20000)]
    assert [len(text.split("\n")) for text in texts] == [5, 100, 20000]
    assert [len(re.findall(r"^theorem above\d+", text, re.MULTILINE)) for text in texts] == [0, 19, 3999]
    for text in texts:
        assert text.count("sorry") == 1
        point = find_insertion_point(text, position_at(text, text.index("sorry")))
        assert point is not None
        assert point.declaration.name == "asked"
        typed = point.key(text + "xx")
        assert typed == point.key(text)  # typing at the end keeps what is known
    assert len({file_text(5, goal) for goal in range(600)}) == 600


def test_the_file_is_one_that_lean_takes(lean: Path, tmp_path: Path) -> None:
    file = tmp_path / "Text.lean"
    file.write_text(file_text(20, 7), encoding="utf-8")
    done = subprocess.run([lean, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert re.findall(r"warning: .*", done.stdout) == ["warning: declaration uses `sorry`"]


def test_percentiles() -> None:
    trip = Trip.of([each / 1000 for each in range(200, 0, -1)])
    assert (trip.count, trip.median_ms, trip.p99_ms, trip.worst_ms) == (200, 100.5, 198, 200)
    assert Trip.of([0.5]) == Trip(1, 500, 500, 500)


async def test_the_page_that_is_edited_is_what_the_companion_has(tmp_path: Path) -> None:
    """The edit of a suggestion is for the text after a changed statement and typing."""
    async with companion(tmp_path, options("starter", None)) as made:
        page = Page.open(made, tmp_path / "A.lean", 20, goal=3)
        first = await page.ask()
        page.restate(4)
        await page.change_seconds()
        second = await page.ask()
        assert first[0]["verdict"] == second[0]["verdict"] == "unchecked"
        assert second[0]["edit"]["range"] == {
            "start": {"line": 16, "character": 2},
            "end": {"line": 16, "character": 7},
        }
        with pytest.raises(LlmstepError, match=r"There is no command llmstep\.dance"):
            await made.command("llmstep.dance")
        process = psutil.Process(made.process.pid)
    await until_gone([process])


async def test_a_companion_that_has_ended_is_told(tmp_path: Path) -> None:
    async with companion(tmp_path, options("starter", None)) as made:
        page = Page.open(made, tmp_path / "A.lean", 20)
        await page.ask()
        made.process.kill()
        await made.process.wait()
        with pytest.raises(LlmstepError, match=r"The companion has ended"):
            await page.ask()


def test_latency_and_length_without_lean(tmp_path: Path) -> None:
    found = bench("--only", "latency")
    assert set(found) == {"model", "lean", "latency"}
    assert (found["model"], found["lean"]) == ("starter", False)
    check_trips(found["latency"]["rest"])
    check_trips(found["latency"]["generating"])
    assert found["latency"]["rest"]["generating"] == 0
    assert found["latency"]["generating"]["generating"] > 0.5


@pytest.mark.lean
def test_length_with_lean(lean: Path, tmp_path: Path) -> None:
    picture = tmp_path / "editor.svg"
    found = bench("--only", "length", "--lean", lean, "--picture", picture)
    assert found["lean"] is True
    assert [row["lines"] for row in found["length"]] == LENGTHS
    for row in found["length"]:
        check_trips(row["trips"])
        assert row["suggestions"] >= 1
        assert min(row["first_seconds"], row["again_seconds"]) > 0
    root = ElementTree.fromstring(picture.read_text(encoding="utf-8"))
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 2 * len(LENGTHS)


def test_windows_share_one_model() -> None:
    rows = bench("--only", "windows")["windows"]
    assert [row["windows"] for row in rows] == list(QUICK.windows)
    for row in rows:
        assert row["answers"] == row["windows"] * QUICK.asks
        assert 0 < row["median_seconds"] <= row["worst_seconds"]
        first, *others = row["memory"]
        assert len(others) == row["windows"] - 1
        assert first["engine"] == "inProcess"
        for other in others:
            assert other["engine"] == "shared"
            assert other["rss"] < first["rss"]
        assert all(each["rss"] > 10 for each in row["memory"])
        assert all(each["pss"] is None or 0 < each["pss"] <= each["rss"] for each in row["memory"])


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "editor", "--quick", "--only", "length"]
    own = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, env=own) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "100 lines: done\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert any("lsp" in words(child) for child in children)
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == ""
    wait_until_gone(children)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--only", "speed"), "There is no part called speed."),
        (("--only", "latency", "--picture", "x.svg"), "The part latency has no picture."),
    ],
)
def test_refusals(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        run("editor", *arguments, program=app)
    assert caught.value.message == message


def test_an_unknown_model_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    before = _companions()
    with pytest.raises(LlmstepError, match="no-such-model"):
        asyncio.run(_one_answer(tmp_path))
    wait_until_gone(_companions() - before)


async def _one_answer(folder: Path) -> None:
    async with companion(folder, options("no-such-model", None)) as made:
        await Page.open(made, folder / "A.lean", 20).ask()


def _companions() -> set[psutil.Process]:
    return {each for each in psutil.Process().children(recursive=True) if "lsp" in words(each)}
