"""The simulation against the queues that have formulas, and the command."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import attrs
import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.capacity import Setup, capacity, closed, opened
from llmstep.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

EXPONENTIAL = tuple(-0.25 * math.log(1 - (i + 0.5) / 4000) for i in range(4000))
"""Service times of mean 0.25, exponentially distributed."""


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_m_d_1(load: float) -> None:
    """Pollaczek and Khinchine: the mean wait is load / (2 (1 - load)) service times."""
    found = opened(Setup(name="d", seconds=[0.25]), load / 0.25, requests=60_000)
    assert found.mean - 0.25 == pytest.approx(0.25 * load / (2 * (1 - load)), rel=0.05)
    assert found.busy == pytest.approx(load, rel=0.02)


def test_m_m_1() -> None:
    """The time in the system is exponentially distributed with the rate mu - lambda."""
    found = opened(Setup(name="m", seconds=EXPONENTIAL), 2.0, requests=80_000)
    assert found.mean == pytest.approx(1 / (4 - 2), rel=0.05)
    assert found.p50 == pytest.approx(math.log(2) / 2, rel=0.06)
    assert found.p95 == pytest.approx(math.log(20) / 2, rel=0.06)


def test_m_m_2() -> None:
    """Erlang's C: two servers, each 75 % busy, make a request wait with probability 9/14, 0.5 s each mean."""
    found = opened(Setup(name="m", seconds=EXPONENTIAL, replicas=2), 6.0, requests=80_000)
    assert found.mean - 0.25 == pytest.approx((9 / 14) / (8 - 6), rel=0.07)
    assert found.busy == pytest.approx(0.75, rel=0.02)


def test_sharing_one_processor() -> None:
    """M/G/1 with processor sharing: the mean is s / (1 - load) whatever the distribution is."""
    shared = Setup(name="ps", seconds=[0.1, 0.1, 0.55], together=10_000, slowdown=1.0)
    assert opened(shared, 2.4, requests=80_000).mean == pytest.approx(0.25 / (1 - 0.6), rel=0.05)


def test_no_slowdown_is_no_wait() -> None:
    alone = opened(Setup(name="inf", seconds=[0.25], together=10_000, slowdown=0.0), 40.0)
    assert (alone.mean, alone.p95) == (pytest.approx(0.25), pytest.approx(0.25))
    assert alone.busy == pytest.approx(1 - math.exp(-40 * 0.25), abs=0.01)


@pytest.mark.parametrize("users", [1, 5, 12])
def test_people_who_think(users: int) -> None:
    """The machine repairman: throughput and so the mean response of a finite number of sources."""
    mean, think = 0.25, 2.0
    weights = [math.perm(users, k) * (mean / think) ** k for k in range(users + 1)]
    throughput = (1 - weights[0] / sum(weights)) / mean
    found = closed(Setup(name="m", seconds=EXPONENTIAL), users, think=think, requests=80_000)
    assert found.mean == pytest.approx(users / throughput - think, rel=0.05)
    assert found.busy == pytest.approx(1 - weights[0] / sum(weights), rel=0.03)


def test_capacity_is_the_last_number_that_holds() -> None:
    setup = Setup(name="d", seconds=[0.25])
    found = capacity(setup, think=20, limit=1.0)
    assert found.load == closed(setup, found.users, think=20)
    assert found.load.p95 <= 1.0 < closed(setup, found.users + 2, think=20).p95
    assert 40 < found.users < 80  # 80 would keep it busy all the time


def test_more_copies_hold_more_than_that_many_times_more() -> None:
    setups = [Setup(name="d", seconds=[0.25], replicas=number) for number in (1, 4)]
    one, four = (capacity(setup, think=20, limit=1.0, requests=4000).users for setup in setups)
    assert four > 4 * one


def test_who_is_too_slow_for_one_holds_nobody() -> None:
    found = capacity(Setup(name="slow", seconds=[1.68]), think=20, limit=1.0, requests=500)
    assert (found.users, found.load.p95) == (0, pytest.approx(1.68))


def run(*arguments: str) -> str:
    ended = CliRunner().invoke(app, ["capacity", *arguments], catch_exceptions=False)
    assert ended.exit_code == 0
    return ended.output


def test_the_table(tmp_path: Path) -> None:
    report = {"model": "starter", "dtype": "float32", "cases": [{"ours": {"median": 0.2}}, {"ours": {"median": 0.4}}]}
    (tmp_path / "report.json").write_text(json.dumps(report))
    out = run("--service", "a=b=1.5", "--runtime", str(tmp_path / "report.json"), "--replicas", "1,2", "--think", "5")
    head, rule, *rows = out.splitlines()
    assert head.count("|") == rule.count("|") == rows[0].count("|") == 9
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [cell[:4] for cell in cells] == [
        ["a=b", "1", "1", "1.50"],
        ["a=b", "2", "1", "1.50"],
        ["starter (float32)", "1", "1", "0.30"],
        ["starter (float32)", "2", "1", "0.30"],
    ]
    assert [cell[4] for cell in cells[:2]] == ["0", "0"]
    assert 1 < int(cells[2][4]) < int(cells[3][4])
    again = json.loads(run("--service", "x=0.3", "--think", "5", "--json"))
    assert again["rows"][0]["setup"] == {
        "name": "x",
        "seconds": [0.3],
        "replicas": 1,
        "together": 1,
        "slowdown": 1.0,
    }


def test_what_bench_runtime_prints_is_taken(tmp_path: Path) -> None:
    from llmstep.bench.runtime import CaseResult, Report, Times

    cases = [
        CaseResult(str(number), 9, 20.0, Times.of([0.1 * number] * 3), Times.of([0.1]), 0.1, 200.0) for number in (1, 2)
    ]
    report = Report("starter", False, "float32", None, 10, 0.5, 1, 0.2, 1, {}, tuple(cases))
    (tmp_path / "report.json").write_text(json.dumps(attrs.asdict(report)))
    [row] = json.loads(run("--runtime", str(tmp_path / "report.json"), "--think", "2", "--json"))["rows"]
    assert (row["setup"]["name"], row["setup"]["seconds"]) == ("starter (float32)", [0.1, 0.2])
    assert row["users"] > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "There are no measured times."),
        (("--service", "0.3"), "'0.3' names no times."),
        (("--service", "a=x"), "'a=x' names no times."),
        (("--service", "a=0"), "'a=0' names no times."),
        (("--service", "a=1", "--replicas", "0"), "'0' are no numbers of copies."),
        (("--service", "a=1", "--replicas", "1,b"), "'1,b' are no numbers of copies."),
        (("--runtime", "/no/such/file"), "The file /no/such/file cannot be read: No such file or directory."),
    ],
)
def test_refusals(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        run(*arguments)
    assert caught.value.message == message


def test_a_report_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"model": "x"}')
    with pytest.raises(RequestError, match="is no report of `llmstep bench runtime`"):
        run("--runtime", str(tmp_path / "report.json"))
