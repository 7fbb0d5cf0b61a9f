"""Suggestion acceptance on the real Lean with the starter: goals, going on, shards; and merging for both benchmarks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from output_schema import checked
from typer.testing import CliRunner

from llmstep.bench.quality import GoalResult, Judged, quality_record, run_quality, summarise_quality
from llmstep.bench.search import Result
from llmstep.cli import app
from llmstep.errors import LeanNotFoundError, RequestError
from llmstep.settings import RemoteSettings, Settings
from llmstep.types import Candidate, Check, Suggestion, Verdict

if TYPE_CHECKING:
    from pathlib import Path

LINES: list[dict[str, Any]] = [
    {"name": "and", "statement": "(p q : Prop) (hp : p) (hq : q) : p ∧ q"},
    {"name": "nothing", "statement": "(p : Prop) : p"},
    {"name": "broken", "statement": "(p : Prop : p"},
    {"name": "self", "statement": "(p : Prop) (h : p) : p"},
]
FILE = "theorem before : True := trivial\n\ntheorem here (p q : Prop) (h : p) : p ∨ q := by\n  sorry\n"
RECORD = quality_record(Settings(), 0)


def write(folder: Path, lines: list[dict[str, Any]] = LINES) -> Path:
    file = folder / "goals.jsonl"
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return file


def lines_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def bench(*arguments: str) -> str:
    ended = CliRunner().invoke(app, ["bench", *arguments], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.output


@pytest.mark.lean
def test_steps_of_leans_own_tactics_are_counted(tmp_path: Path, lean: Path) -> None:
    goals = write(tmp_path)
    common = ["--goals", str(goals), "--lean-project", str(tmp_path), "--lean", str(lean), "--model", "starter"]
    counted = {}
    for source in ("lean", "both"):
        bench("quality", *common, "--count", "4", "--source", source, "--out", str(tmp_path / source))
        counted[source] = checked("bench merge", bench("merge", str(tmp_path / source), "--json"))
    assert {source: told["method"]["source"] for source, told in counted.items()} == {"lean": "lean", "both": "both"}
    assert counted["lean"]["closed"]["share"] == 0.5  # of four goals, one is broken and one is not provable
    assert counted["lean"]["steps"]["share"] == 1.0
    assert counted["both"]["shown"] > 0
    result = CliRunner().invoke(app, ["bench", "quality", *map(str, common), "--source", "x"])
    assert (result.exit_code, "'x' is not one of" in result.output) == (2, True)


@pytest.mark.lean
def test_goals_are_asked_judged_and_kept(tmp_path: Path, lean: Path) -> None:
    (tmp_path / "Here.lean").write_text(FILE, encoding="utf-8")
    goals = write(tmp_path, [*LINES, {"file": "Here.lean", "line": 4, "column": 3}])
    common = ["--goals", str(goals), "--lean-project", str(tmp_path), "--lean", str(lean), "--model", "starter"]
    common += ["--device", "cpu", "--count", "24", "--seed", "1"]
    parts = [tmp_path / "one", tmp_path / "two"]
    for number, part in enumerate(parts, start=1):
        bench("quality", *common, "--shard", f"{number}/2", "--out", str(part))
    first, second = (lines_of(part) for part in parts)
    assert [line["name"] for line in first] == ["and", "broken", "Here.lean:4:3"]
    assert [line["name"] for line in second] == ["nothing", "self"]
    by_name = {line["name"]: line for line in (*first, *second)}
    assert by_name["broken"]["outcome"] == "error"
    assert by_name["broken"]["message"]
    assert by_name["nothing"]["closing"] == 0  # nobody can
    assert by_name["self"]["outcome"] == by_name["Here.lean:4:3"]["outcome"] == "closes"
    for line in by_name.values():
        if line["outcome"] != "error":
            assert line["drawn"] == 24
            assert 0 < line["steps"] <= 24
            assert line["closing"] <= line["accepted"] <= line["steps"] - line["unchecked"]
            assert line["unchecked"] == 0
            assert line["model"] == "starter"

    again = bench("quality", *common, "--shard", "2/2", "--out", str(parts[1]), "--json")
    assert lines_of(parts[1]) == second  # nothing was asked again
    summary = checked("bench quality", again[again.index("{") :])
    assert (summary["goals"], summary["shard"], summary["results"]) == (2, "2/2", str(parts[1]))

    whole = checked("bench merge", bench("merge", *map(str, parts), "--out", str(tmp_path / "all"), "--json"))
    assert (whole["goals"], whole["errors"], whole["files"]) == (5, 1, 2)
    accepted = sum(line["outcome"] in ("closes", "progress") for line in by_name.values())
    assert whole["accepted"]["share"] == accepted / 5
    assert len(lines_of(tmp_path / "all")) == 5
    told = bench("merge", str(tmp_path / "all"))
    assert told.startswith("5 goals, 1 with an error, ")
    assert f"goals with a step that Lean accepts: {accepted / 5:.1%} (95 % confidence: " in told


@pytest.mark.lean
def test_without_lean_nothing_is_counted(tmp_path: Path) -> None:
    options = ["--goals", str(write(tmp_path)), "--lean-project", str(tmp_path), "--out", str(tmp_path / "out")]
    with pytest.raises(LeanNotFoundError):
        bench("quality", *options, "--lean", "no-such-lean", "--model", "starter")
    assert not (tmp_path / "out").exists()


def step(text: str, verdict: Verdict, score: float | None) -> Suggestion:
    return Suggestion(Candidate(text, score), Check(verdict))


async def test_what_is_counted(tmp_path: Path) -> None:
    steps = {
        "a": [step("x", Verdict.CLOSES, -2.0), step("y", Verdict.PROGRESS, -1.0), step("z", Verdict.INVALID, 0.0)],
        "b": [step("x", Verdict.PROGRESS, -0.5), step("y", Verdict.UNCHECKED, None)],
        "c": [step("x", Verdict.INVALID, -1.0)],
        "d": [step("x", Verdict.UNCHECKED, -1.0)],
        "e": [],
    }

    async def ask(goal: Any) -> Any:
        return Judged("some", 6, steps[goal.name], "Lean was too slow.", shown={"a": 0.2, "b": 0.4}.get(goal.name))

    goals: Any = [attrs.make_class("Goal", ["name"])(name) for name in steps]
    results = await run_quality(goals, ask, RECORD, tmp_path / "out")
    assert [(each.outcome, each.first, each.steps, each.accepted, each.closing) for each in results] == [
        ("closes", "invalid", 3, 2, 1),
        ("progress", "progress", 2, 1, 0),
        ("none", "invalid", 1, 0, 0),
        ("error", "unchecked", 1, 0, 0),
        ("none", "", 0, 0, 0),
    ]
    assert [each.message for each in results] == ["", "", "", "Lean was too slow.", ""]
    summary = summarise_quality(results)
    assert (summary.goals, summary.errors) == (5, 1)
    assert (summary.accepted.share, summary.closed.share, summary.first.share) == (0.4, 0.2, 0.2)
    assert summary.shown == 0.3
    assert summary.accepted.interval == (0.1176, 0.7693)  # Wilson, 2 of 5
    assert summary.steps.share == pytest.approx(3 / 7, abs=1e-4)
    low, high = summary.steps.interval
    assert 0 <= low < 3 / 7 < high <= 2 / 3

    asked: list[bool] = []
    await run_quality(goals, ask, RECORD, tmp_path / "out", lambda _, old: asked.append(old))
    assert asked == [True, True, True, False, True]  # an error is asked again
    assert [line["name"] for line in lines_of(tmp_path / "out")] == ["a", "b", "c", "d", "e", "d"]
    with pytest.raises(RequestError, match="seed 0 there, 1 here"):
        await run_quality(goals, ask, {**RECORD, "seed": 1}, tmp_path / "out")


def test_no_goals_no_shares() -> None:
    summary = summarise_quality([])
    assert (summary.goals, summary.accepted.interval, summary.steps.interval) == (0, (0.0, 1.0), (0.0, 1.0))


def test_a_model_at_a_server_is_part_of_the_method() -> None:
    far = quality_record(Settings(engine="openai", remote=RemoteSettings(model="big")), 3)
    assert (far["engine"], far["served"], far["seed"]) == ("openai", "big", 3)
    assert "engine" not in RECORD


def test_the_format_of_the_weights_is_part_of_the_method() -> None:
    assert quality_record(Settings(dtype="int8"), 0) == {**RECORD, "dtype": "int8"}
    assert "dtype" not in RECORD


METHOD = {"tactics": "model", "expansions": 4}


def proved(name: str, outcome: str = "proved", **changes: Any) -> Result:
    values: dict[str, Any] = {"expansions": 2, "states": 3, "seconds": 1.5, "model": "starter", "method": METHOD}
    return Result(name, outcome, proof="rfl" if outcome == "proved" else None, **{**values, **changes})


def put(file: Path, *results: Result | GoalResult) -> str:
    file.write_text("".join(each.line() for each in results), encoding="utf-8")
    return str(file)


def test_results_of_searches_are_merged(tmp_path: Path) -> None:
    one = put(tmp_path / "1", proved("a"), proved("b", "error", message="Lean crashed."), proved("c", "exhausted"))
    two = put(tmp_path / "2", proved("b"), proved("d", "error"), proved("d", "expansions"), proved("a"))
    told = bench("merge", one, two, "--out", str(tmp_path / "all"))
    assert told == "2 of 4 proved: 50.0% (95 % confidence: 15.0% to 85.0%); 8 expansions, 6 s\n"
    assert {line["name"]: line["outcome"] for line in lines_of(tmp_path / "all")} == {
        "a": "proved",
        "b": "proved",
        "c": "exhausted",
        "d": "expansions",
    }
    assert checked("bench merge", bench("merge", str(tmp_path / "all"), "--json"))["proved"] == 2


def test_what_cannot_be_merged(tmp_path: Path) -> None:
    one = put(tmp_path / "1", proved("a"))
    for file, message in (
        (put(tmp_path / "2", proved("a", "exhausted")), r"a stands in .*1 and in .*2, with different results"),
        (put(tmp_path / "3", proved("b", method={**METHOD, "expansions": 5})), "expansions 5 there, 4 here"),
        (str(tmp_path / "none"), "cannot be read: No such file"),
    ):
        with pytest.raises(RequestError, match=message):
            bench("merge", one, file)
    (tmp_path / "4").write_text('{"name": "a"}\n')
    with pytest.raises(RequestError, match=r"Line 1 of .*4 is no result"):
        bench("merge", str(tmp_path / "4"))
    with pytest.raises(RequestError, match=r"Line 1 of .*4 is no result"):
        bench("merge", one, str(tmp_path / "4"))
