"""Files of theorems: what a line may be, where the proof goes, shards; and the project's own set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llmstep.bench.theorems import Theorem, read_theorems, shard_of
from llmstep.errors import RequestError
from llmstep.lean.insertion_points import find_insertion_points
from llmstep.lean.text import offset_at

if TYPE_CHECKING:
    from collections.abc import Sequence

OWN = Path(__file__).parent / "theorems.jsonl"


def write(folder: Path, *records: Any) -> Path:
    file = folder / "some.jsonl"
    lines = [each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in records]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"name": "a", "statement": "(p : Prop) (h : p) : p"}, "theorem a (p : Prop) (h : p) : p := by\n  sorry\n"),
        ({"name": "a", "statement": ": 1 = 1"}, "theorem a : 1 = 1 := by\n  sorry\n"),
        ({"name": "a-1", "statement": ": 1 = 1"}, "theorem «a-1» : 1 = 1 := by\n  sorry\n"),
        ({"name": "a", "statement": "theorem b : 1 = 1"}, "theorem b : 1 = 1 := by\n  sorry\n"),
        ({"name": "a", "statement": "theorem b : 1 = 1 := by\n"}, "theorem b : 1 = 1 := by\n  sorry\n"),
        ({"name": "a", "statement": "theorem b : 1 = 1 := sorry"}, "theorem b : 1 = 1 := by\n  sorry\n"),
        ({"name": "a", "statement": "theorem b : 1 = 1 := by sorry"}, "theorem b : 1 = 1 := by\n  sorry\n"),
        ({"name": "a", "statement": "lemma b :\n  1 = 1 :="}, "lemma b :\n  1 = 1 := by\n  sorry\n"),
        ({"name": "a", "statement": "example : (sorry : Nat) = 1"}, "example : (sorry : Nat) = 1 := by\n  sorry\n"),
        (
            {
                "name": "a",
                "formal_statement": "theorem b (x : ℝ) : x = x := by",
                "header": "import Mathlib\nopen Real\n",
            },
            "import Mathlib\nopen Real\n\ntheorem b (x : ℝ) : x = x := by\n  sorry\n",
        ),
        (
            {"name": "a", "statement": "@[simp] theorem b : 1 = 1", "split": "test"},
            "@[simp] theorem b : 1 = 1 := by\n  sorry\n",
        ),
    ],
)
def test_a_statement_becomes_a_file(tmp_path: Path, record: dict[str, str], text: str) -> None:
    [theorem] = read_theorems(write(tmp_path, record), tmp_path)
    assert theorem.name == record["name"]
    assert theorem.text == text
    assert theorem.uri == (tmp_path / "LlmstepBench.lean").as_uri()
    assert offset_at(text, theorem.position) == text.rindex("sorry")
    [point, *_] = find_insertion_points(theorem.text, theorem.position)
    assert point.apply(text, "decide") == text[: text.rindex("sorry")] + "decide\n"


def test_the_common_header_is_for_those_without_one(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {"name": "a", "statement": ": 1 = 1"},
        {"name": "b", "statement": ": 1 = 1", "header": "import B"},
        {"name": "c", "statement": ": 1 = 1", "header": ""},
    )
    texts = [theorem.text for theorem in read_theorems(file, tmp_path, "import A\n")]
    assert [text.split("theorem")[0] for text in texts] == ["import A\n\n", "import B\n\n", ""]


def test_a_place_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "Src").mkdir()
    source = tmp_path / "Src" / "A.lean"
    source.write_bytes("theorem é : 1 = 1 := by\r\n  sorry\r\n".encode())
    file = write(
        tmp_path, {"file": "Src/A.lean", "line": 2, "column": 3}, {"name": "b", "file": "Src/A.lean", "line": 2}
    )
    first, second = read_theorems(file, tmp_path)
    assert (first.name, second.name) == ("Src/A.lean:2:3", "b")
    assert first.uri == second.uri == source.as_uri()
    assert first.text == source.read_bytes().decode()
    assert (first.position.line, first.position.character) == (1, 2)
    assert (second.position.line, second.position.character) == (1, 0)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "has no theorems"),
        (["", " "], "has no theorems"),
        (["{"], "Line 1 of .*some.jsonl is no theorem"),
        (["3"], "Line 1 of .*some.jsonl is no theorem"),
        (
            [{"name": "a", "statement": ": True"}, {"name": "a", "statement": ": 1 = 1"}],
            "Line 2 of .*some.jsonl has the name a",
        ),
        ([{"statement": ": True"}], "Line 1 of .*some.jsonl names neither"),
        ([{"name": "a"}], "Line 1 of .*some.jsonl names neither"),
        ([{"name": "a", "statement": " "}], "Line 1 of .*some.jsonl names neither"),
        ([{"name": "a", "statement": ": True", "header": 3}], "Line 1 of .*some.jsonl is no theorem: header must be"),
        ([{"file": "None.lean", "line": 1}], "None.lean cannot be read"),
        ([{"file": "some.jsonl", "line": 0}], "Line 1 of .*some.jsonl names neither"),
        ([{"file": "some.jsonl"}], "Line 1 of .*some.jsonl names neither"),
    ],
)
def test_what_is_no_theorem_is_named(tmp_path: Path, records: Sequence[Any], message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        read_theorems(write(tmp_path, *records), tmp_path)
    assert caught.value.hint


def theorems(count: int) -> list[Theorem]:
    from lsprotocol.types import Position

    return [Theorem(str(number), "file:///a.lean", "", Position(0, 0)) for number in range(count)]


@pytest.mark.parametrize(("count", "shards"), [(10, 1), (10, 3), (244, 4), (2, 5)])
def test_shards_are_equal_and_lose_nothing(count: int, shards: int) -> None:
    every = theorems(count)
    parts = [shard_of(every, f"{index}/{shards}") for index in range(1, shards + 1)]
    assert sorted((each for part in parts for each in part), key=lambda each: int(each.name)) == every
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1/0", "1", "a/b", "-1/4", "1/4/2"])
def test_shards_that_are_none(shard: str) -> None:
    with pytest.raises(RequestError, match="There is no shard"):
        shard_of(theorems(4), shard)


def test_the_own_set() -> None:
    records = [json.loads(line) for line in OWN.read_text(encoding="utf-8").splitlines()]
    assert len(read_theorems(OWN, OWN.parent)) == len(records) >= 100
    assert len({record["statement"] for record in records}) == len(records)
    assert {record["family"] for record in records} == {"propositional", "quantifier", "equality", "nat"}
    assert {record["source"] for record in records} == {"textbook", "handwritten", "generated"}


@pytest.mark.lean
def test_lean_accepts_the_statements_of_the_own_set(lean: Path) -> None:
    from starter.lean_run import first_goals

    statements = [json.loads(line)["statement"] for line in OWN.read_text(encoding="utf-8").splitlines()]
    assert all("⊢" in goal for goal in first_goals([str(lean)], statements))


def test_generated_ones_are_of_theorems_that_the_starter_was_not_trained_on() -> None:
    from starter.dataset import part_of

    records = [json.loads(line) for line in OWN.read_text(encoding="utf-8").splitlines()]
    generated = [record["statement"] for record in records if record["source"] == "generated"]
    assert len(generated) >= 40
    assert {part_of(statement) for statement in generated} == {"test"}
