"""Runs of the benchmark on the real Lean with the fixed list: results, going on, shards, the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from llmstep.bench.results import known_results
from llmstep.bench.search import Result, method_record, run_search, summarise
from llmstep.bench.theorems import read_theorems
from llmstep.engine.engine import Engine
from llmstep.errors import LeanNotFoundError, RequestError
from llmstep.lean.workspace import LeanWorkspace
from llmstep.proofs.prover import WholeProver
from llmstep.search.attempt import Plan, Tactics
from llmstep.settings import LeanSettings, Settings
from llmstep.types import SamplingParams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

in_loop = pytest.mark.asyncio(loop_scope="module")

PLAN = Plan(
    strategy="search", tactics="list", fixed=("assumption", "constructor"), expansions=4, seconds=60, patience=0
)


def by(tactics: Tactics, **sampling: Any) -> Plan:
    return Plan(strategy="search", tactics=tactics, sampling=SamplingParams(**sampling))


RECORD = method_record(PLAN, "starter")
LINES = [
    {"name": "one", "statement": "(p : Prop) (h : p) : p"},
    {"name": "false", "statement": "(p q : Prop) (h : p) : q"},
    {"name": "broken", "statement": "(p : Prop : p"},
    {"name": "two", "statement": "(p q : Prop) (h : p) (k : q) : p ∧ q"},
    {"name": "deep", "statement": "(p : Prop) (h : p) : (p ∧ p) ∧ (p ∧ p)"},
]
EXPECTED = {"one": "proved", "false": "exhausted", "broken": "error", "two": "proved", "deep": "expansions"}


def write(folder: Path, lines: list[dict[str, str]] = LINES) -> Path:
    file = folder / "theorems.jsonl"
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return file


def lines_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def result(name: str, proof: str | None = None, outcome: str = "exhausted", **changes: Any) -> Result:
    values = {"expansions": 2, "states": 3, "seconds": 1.5, "model": None, "method": RECORD, **changes}
    return Result(name, "proved" if proof else outcome, proof=proof, **values)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prover(lean_command: tuple[str, ...]) -> AsyncIterator[WholeProver]:
    settings = Settings(model="starter", device="cpu", lean=LeanSettings(command=lean_command))
    engine, lean = Engine(settings), LeanWorkspace(settings)
    yield WholeProver(engine, lean)
    await lean.close()
    await engine.close()


@in_loop
@pytest.mark.lean
async def test_one_line_a_theorem(prover: WholeProver, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    told: list[tuple[str, bool]] = []
    theorems = read_theorems(write(tmp_path), tmp_path)
    results = await run_search(theorems, prover, PLAN, RECORD, out, lambda result, old: told.append((result.name, old)))
    assert {each.name: each.outcome for each in results} == EXPECTED
    assert told == [(name, False) for name in EXPECTED]
    by_name = {line["name"]: line for line in lines_of(out)}
    assert list(by_name) == list(EXPECTED)
    assert by_name["two"]["proof"] == "constructor\nassumption\nassumption"
    assert by_name["two"]["expansions"] == 3
    assert by_name["deep"]["expansions"] == 4
    assert "unexpected token" in by_name["broken"]["message"]
    assert all(line["method"] == RECORD for line in by_name.values())
    assert [Result(**line) for line in by_name.values()] == results


@in_loop
@pytest.mark.lean
async def test_a_run_goes_on_where_it_stopped(prover: WholeProver, tmp_path: Path) -> None:
    theorems = read_theorems(write(tmp_path), tmp_path)
    out = tmp_path / "out.jsonl"
    done = [result("one", proof="kept"), result("broken", outcome="error", message="Lean crashed.")]
    out.write_text("".join(each.line() for each in done) + '{"name": "fal', encoding="utf-8")
    told: list[tuple[str, bool]] = []
    results = await run_search(theorems, prover, PLAN, RECORD, out, lambda result, old: told.append((result.name, old)))
    assert told == [("one", True), ("false", False), ("broken", False), ("two", False), ("deep", False)]
    assert results[0].proof == "kept"
    assert [line["name"] for line in lines_of(out)] == ["one", "broken", "false", "broken", "two", "deep"]
    again: list[bool] = []
    await run_search(theorems[:2], prover, PLAN, RECORD, out, lambda _, old: again.append(old))
    assert again == [True, True]


@in_loop
async def test_results_of_another_method_are_not_mixed_in(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text(result("one").line(), encoding="utf-8")
    with pytest.raises(RequestError, match="expansions 4 there, 5 here"):
        known_results(out, {**RECORD, "expansions": 5}, Result)
    out.write_text('{"name": "one"}\n', encoding="utf-8")
    with pytest.raises(RequestError, match=r"Line 1 of .*out\.jsonl is no result: outcome is missing"):
        known_results(out, RECORD, Result)
    assert known_results(tmp_path / "none.jsonl", RECORD, Result) == {}


@in_loop
async def test_the_last_line_of_a_theorem_counts(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text(result("one", outcome="error").line() + result("one", "rfl").line(), encoding="utf-8")
    assert known_results(out, RECORD, Result) == {"one": result("one", "rfl")}


@in_loop
async def test_without_lean_nothing_is_counted_as_failed(tmp_path: Path) -> None:
    settings = Settings(lean=LeanSettings(command=("no-such-lean", "--server")))
    engine, lean = Engine(settings), LeanWorkspace(settings)
    out = tmp_path / "out.jsonl"
    with pytest.raises(LeanNotFoundError):
        await run_search(read_theorems(write(tmp_path), tmp_path), WholeProver(engine, lean), PLAN, RECORD, out)
    assert not out.exists()
    await lean.close()
    await engine.close()


def test_what_is_part_of_the_method() -> None:
    assert RECORD == {"tactics": "list", "expansions": 4, "timeout": 60, "length_power": 0.0}
    both = method_record(by(tactics="both", count=8, seed=3), "starter")
    assert both["model"] == "starter"
    assert (both["samples"], both["seed"], both["temperature"]) == (8, 3, 0.7)
    assert "engine" not in both
    assert method_record(by(tactics="model"), "auto", "openai big")["engine"] == "openai big"
    assert "engine" not in method_record(by(tactics="list"), "auto", "openai big")
    assert method_record(by(tactics="model"), "auto", dtype="int8")["dtype"] == "int8"
    assert "dtype" not in method_record(by(tactics="model"), "auto", "openai big", dtype="int8")
    assert "dtype" not in method_record(by(tactics="list"), "auto", dtype="int8")


def test_the_summary() -> None:
    results = [result("a", "rfl"), result("b"), result("c", outcome="error"), result("d", "simp", model="starter")]
    made = summarise(results)
    assert (made.theorems, made.proved, made.errors, made.rate) == (4, 2, 1, 0.5)
    assert made.interval == (0.15, 0.85)
    assert (made.expansions, made.seconds, made.model) == (8, 6.0, "starter")
    assert summarise([]).interval == (0.0, 1.0)
