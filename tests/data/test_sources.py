"""Pairs from LeanDojo's JSON and from JSONL, and their division into parts."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import pytest
from command_line import run as llmstep

from llmstep.data.leandojo import leandojo_pairs
from llmstep.data.pair import Pair, jsonl_pairs, write_jsonl
from llmstep.data.split import hashed_part, split
from llmstep.errors import RequestError
from llmstep.training.pairs import Example, read_pairs

if TYPE_CHECKING:
    from pathlib import Path


def theorem(name: str, *steps: tuple[str, str]) -> dict[str, Any]:
    """A theorem as the benchmark has it; the state behind a step is that before the next one."""
    states = [state for state, _ in steps[1:]] + ["no goals"]
    return {
        "url": "https://example.org/mathlib4",
        "commit": "29dcec074de168ac2bf835a77ef68bbe069194c5",
        "file_path": "Mathlib/Logic/Basic.lean",
        "full_name": name,
        "start": [12, 1],
        "end": [14, 20],
        "traced_tactics": [
            {
                "tactic": tactic,
                "annotated_tactic": [tactic.replace("and_comm", "<a>and_comm</a>"), []],
                "state_before": before,
                "state_after": after,
            }
            for (before, tactic), after in zip(steps, states, strict=True)
        ],
    }


SWAP = theorem(
    "Foo.swap", ("p q : Prop\n⊢ p ∧ q → q ∧ p", "intro h"), ("p q : Prop\nh : p ∧ q\n⊢ q ∧ p", "rwa [and_comm] at h")
)
TRUE = theorem("Foo.true", ("⊢ True", "trivial"))
GIVEN_UP = theorem("Foo.open", ("⊢ True", "sorry"), ("no goals", "done"), ("⊢ True", "exact sorry_free"), ("⊢ p", " "))


run = functools.partial(llmstep, "data")


def save(folder: Path, **files: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def lines(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_benchmark_keeps_its_parts(tmp_path: Path) -> None:
    other = theorem("Bar.held", ("⊢ True", "trivial"), ("x : ℕ\n⊢ x = x", "rfl"))
    folder = save(tmp_path / "random", train=[SWAP, TRUE, GIVEN_UP], val=[other], test=[theorem("T", ("⊢ q", "simp"))])
    said = run(folder, "--out", tmp_path / "pairs")
    assert lines(tmp_path / "pairs" / "train.jsonl") == [
        {"goal": "p q : Prop\n⊢ p ∧ q → q ∧ p", "tactic": "intro h", "theorem": "Foo.swap"},
        {"goal": "p q : Prop\nh : p ∧ q\n⊢ q ∧ p", "tactic": "rwa [and_comm] at h", "theorem": "Foo.swap"},
        {"goal": "⊢ True", "tactic": "exact sorry_free", "theorem": "Foo.open"},
    ]  # `trivial` for True is held out, so it is not trained on
    assert lines(tmp_path / "pairs" / "valid.jsonl") == [
        {"goal": "⊢ True", "tactic": "trivial", "theorem": "Bar.held"},
        {"goal": "x : ℕ\n⊢ x = x", "tactic": "rfl", "theorem": "Bar.held"},
    ]
    assert [line["theorem"] for line in lines(tmp_path / "pairs" / "test.jsonl")] == ["T"]
    assert "train: 3 pairs of 2 theorems" in said
    assert "valid: 2 pairs of 1 theorems" in said
    assert "test: 1 pairs of 1 theorems" in said
    assert "left out: 1 steps with sorry, 1 steps without a goal, 1 empty steps, 1 duplicates" in said
    assert "6 pairs have no text of their file, which only templates that read the file need; for LeanDojo's," in said
    assert read_pairs(tmp_path / "pairs" / "valid.jsonl")[1] == Example("x : ℕ\n⊢ x = x", "rfl")


SOURCE = """\
import Mathlib.Init

/-- theorem Foo.other : True := by trivial -/
@[simp]
theorem Foo.other : True := by trivial

namespace Foo

/-- Both sides, by `simp` -/
theorem swap (p q : Prop) : (p ∧ q ↔ q ∧ p) ∧ (p → p) := by
  constructor
  · constructor <;> intro h
    · exact ⟨h.2,
        h.1⟩
    · simp [h]
  · intro h
    simp at h ⊢
    exact h

theorem twice : True ∧ True := by
  refine ⟨?_, ?_⟩
  · trivial
  · trivial
end Foo
"""


def test_the_text_before_a_step_is_read_from_the_repository(tmp_path: Path) -> None:
    """Only where the text leaves no doubt which step was traced."""
    repository = tmp_path / "mathlib4"
    (repository / "Mathlib").mkdir(parents=True)
    (repository / "Mathlib" / "Foo.lean").write_bytes(SOURCE.replace("\n", "\r\n").encode())
    traced = {
        "Foo.twice": (20, [("refine ⟨?_, ?_⟩", "refine"), ("trivial", "trivial\n  · "), ("trivial", "trivial\nend")]),
        "Foo.swap": (
            9,
            [
                ("constructor", "constructor\n"),
                ("constructor <;> intro h", "constructor <;>"),
                ("constructor", ""),  # the one before `<;>` is no step of its own: which is which?
                ("exact ⟨h.2,\n        h.1⟩", "exact ⟨h.2"),
                ("simp [h]", "simp [h]"),
                ("intro h", "intro h\n    · exact"),
                ("intro h", "intro h\n    simp"),
                ("simp at h ⊢", "simp at"),
                ("exact h", "exact h\n"),
                ("not there", ""),
            ],
        ),
        "Foo.gone": (20, [("trivial", "")]),  # another theorem stands there now
        "Foo.other": (3, [("trivial", "trivial\n\n")]),
    }
    theorems = []
    for name, (line, steps) in traced.items():
        record = theorem(name, *((f"⊢ {name} {number}", tactic) for number, (tactic, _) in enumerate(steps)))
        theorems.append(record | {"file_path": "Mathlib/Foo.lean", "start": [line, 1]})
    theorems.append(theorem("Foo.away", ("⊢ q", "simp")) | {"file_path": "Mathlib/Away.lean"})
    theorems.append({key: value for key, value in theorem("Bare", ("⊢ r", "rfl")).items() if key != "file_path"})
    folder = save(tmp_path / "random", train=theorems)

    said = run(folder, "-o", tmp_path / "out", "--repository", repository)
    made = lines(tmp_path / "out" / "train.jsonl")
    known = {(line["goal"], line["tactic"]): line.get("file_context") for line in made}
    for name, (_, steps) in traced.items():
        for number, (tactic, anchor) in enumerate(steps):
            before = SOURCE[: SOURCE.index(anchor)] if anchor and anchor != "constructor\n" else None
            assert known[(f"⊢ {name} {number}", tactic)] == before, (name, tactic)
    assert known[("⊢ q", "simp")] is known[("⊢ r", "rfl")] is None
    bare = sum(each is None for each in known.values())
    assert f"{bare} pairs have no text of their file, which only templates that read the file need\n" in said

    said = run(folder, "-o", tmp_path / "out", "--repository", repository, "--no-context")
    assert not any("file_context" in line for line in lines(tmp_path / "out" / "train.jsonl"))
    assert "their file" not in said


def test_theorems_are_divided_whole_and_always_alike(tmp_path: Path) -> None:
    names = [f"Some.lemma_{number}" for number in range(400)]
    theorems = [theorem(name, (f"⊢ {name} 1", "simp"), (f"⊢ {name} 2", "rfl")) for name in names]
    save(tmp_path, anything=theorems)
    run(tmp_path / "anything.json", "-o", tmp_path / "a", "--valid-share", 0.25)
    parts = {part: lines(tmp_path / "a" / f"{part}.jsonl") for part in ("train", "valid")}
    held = {line["theorem"] for line in parts["valid"]}
    assert len(parts["valid"]) == 2 * len(held)
    assert len(parts["train"]) + len(parts["valid"]) == 800
    assert not held & {line["theorem"] for line in parts["train"]}
    assert 70 < len(held) < 130  # a quarter of 400
    assert held == {name for name in names if hashed_part(name, 0.25) == "valid"}

    save(tmp_path, anything=theorems[::-1][:200])  # the part of a theorem does not depend on the others
    run(tmp_path / "anything.json", "-o", tmp_path / "a", "--valid-share", 0.25)
    assert {line["theorem"] for line in lines(tmp_path / "a" / "valid.jsonl")} == held & set(names[200:])
    assert {name for name in names if hashed_part(name, 0.1) == "valid"} < held
    assert hashed_part("Nat.add_comm", 0.5) == "valid"  # a digest, the same on every machine
    assert hashed_part("Nat.mul_comm", 0.5) == "train"


def test_a_run_without_held_out_pairs_leaves_none_of_an_earlier_one(tmp_path: Path) -> None:
    source = tmp_path / "more.jsonl"
    write_jsonl(source, [Pair(f"⊢ {n}", "simp", f"t{n}") for n in range(40)])
    run(source, "-o", tmp_path / "out", "--valid-share", 0.5)
    assert (tmp_path / "out" / "valid.jsonl").exists()
    run(source, "-o", tmp_path / "out", "--valid-share", 0)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["train.jsonl"]
    assert len(lines(tmp_path / "out" / "train.jsonl")) == 40


def test_a_pair_is_kept_once_in_the_most_held_out_part() -> None:
    pairs = [
        Pair("⊢ a", "simp", "one", "train"),
        Pair("⊢ a", "simp", "two", "valid"),
        Pair("⊢ a", "simp", "three", "test"),
        Pair("⊢ b", "simp", "one", "train"),
        Pair("⊢ b", "simp", "four", "train"),
        Pair("⊢ c", "simp", "three", "train"),  # its theorem is held out elsewhere
        Pair("⊢ d", "simp", "three"),
    ]
    divided = split(pairs, 0)
    assert [(p.goal, p.theorem) for p in divided.parts["train"]] == [("⊢ b", "one")]
    assert divided.parts["valid"] == []
    assert [(p.goal, p.theorem) for p in divided.parts["test"]] == [
        ("⊢ a", "three"),
        ("⊢ c", "three"),
        ("⊢ d", "three"),
    ]
    assert divided.duplicates == 3


def test_jsonl_keeps_the_text_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    records = [
        {"goal": "⊢ p", "tactic": "x", "file_context": "theorem a : p := by\r\n  "},
        {"goal": "⊢ p", "tactic": "y", "file_context": ""},
    ]
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    run(file, "-o", tmp_path / "out", "--valid-share", 0)
    assert [line.get("file_context") for line in lines(tmp_path / "out" / "train.jsonl")] == [
        "theorem a : p := by\n  ",
        None,
    ]
    kept = read_pairs(tmp_path / "out" / "train.jsonl")
    assert kept == [Example("⊢ p", "x", "theorem a : p := by\n  "), Example("⊢ p", "y")]


def test_jsonl_with_and_without_theorems(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(
        '{"goal": "a\u2028b : ℕ\\n⊢ a", "tactic": " simp\\n  at h ", "theorem": "A.b", "more": 1}\n\n'
        '{"goal": "⊢ q", "tactic": "rfl"}\n{"goal": "⊢ q", "tactic": "simp"}\n',
        encoding="utf-8",
    )
    found = jsonl_pairs(file, 100)
    assert found.pairs == [
        Pair("a\u2028b : ℕ\n⊢ a", "simp\n  at h", "A.b"),
        Pair("⊢ q", "rfl", "goal ⊢ q"),
        Pair("⊢ q", "simp", "goal ⊢ q"),
    ]
    write_jsonl(tmp_path / "again.jsonl", found.pairs)
    assert jsonl_pairs(tmp_path / "again.jsonl", 100).pairs == found.pairs
    short = jsonl_pairs(file, 4)
    assert [pair.tactic for pair in short.pairs] == ["rfl", "simp"]
    assert dict(short.left_out) == {"steps longer than 4 characters": 1}


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        '{"goal": "⊢ p"}',
        '{"goal": "⊢ p", "tactic": "x", "theorem": 1}',
        '{"goal": "⊢ p", "tactic": "x", "file_context": 3}',
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"goal": "⊢ p", "tactic": "x"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(RequestError, match=r"Line 2 of .*pairs\.jsonl is no pair"):
        jsonl_pairs(file, 100)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ('{"full_name": "x"}', "holds no list of theorems"),
        ("[3]", "Theorem 1 of .* is not as LeanDojo writes it"),
        ('[{"full_name": "x", "traced_tactics": [{"tactic": "simp"}]}]', "Theorem 1"),
        ('[{"full_name": "x", "traced_tactics": [{"tactic": "simp", "state_before": null}]}]', "Theorem 1"),
    ],
)
def test_what_is_no_benchmark_is_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "train.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(RequestError, match=message):
        leandojo_pairs(file, 100)


def test_sources_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    for source, message in (("nowhere", "There is no "), ("notes.txt", "is not known"), ("empty", "no Lean files")):
        with pytest.raises(RequestError, match=message):
            run(tmp_path / source, "-o", tmp_path / "out")
    save(tmp_path, train=[theorem("A", ("⊢ p", "sorry"))])
    with pytest.raises(RequestError, match="no pairs to train on: 1 steps with sorry"):
        run(tmp_path / "train.json", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()
