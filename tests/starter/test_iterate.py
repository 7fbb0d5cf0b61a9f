"""Statements without proofs, proved by the model; and statements under other names."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING

from llmstep.catalog.local_names import local_names
from starter import iterate
from starter.dataset import part_of, read_shards
from starter.lean_run import first_goals
from starter.renamed import renamed, renamed_lines

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EASY = [
    "(p q : Prop) (h : p ∧ q) : q ∧ p",
    "(p q : Prop) (h : p) : q",
    "(rain wet : Prop) (law : rain → wet) : rain → wet",
]


def test_open_statements_are_distinct_and_of_the_training_part() -> None:
    statements = iterate.open_statements(7, 40)
    assert statements == iterate.open_statements(7, 40)
    assert len(set(statements)) == 40
    assert {part_of(statement) for statement in statements} == {"train"}


def test_what_the_model_proves_becomes_pairs(lean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iterate, "open_statements", lambda seed, count: EASY[:count])
    (tmp_path / "shards").mkdir()
    made, pairs = iterate.make_round([str(lean)], "starter", tmp_path, 1, 3)
    assert made == 2
    found = list(read_shards(tmp_path / "shards"))
    assert len(found) == pairs >= 2
    assert {pair.theorem for pair in found} == {EASY[0], EASY[2]}
    assert found[0].goal == "p q : Prop\nh : p ∧ q\n⊢ q ∧ p"
    results = tmp_path / "rounds" / "1.results.jsonl"
    before = results.read_text()
    assert iterate.make_round([str(lean)], "starter", tmp_path, 1, 3) == (made, pairs)
    assert results.read_text() == before


def test_proofs_with_a_step_of_several_lines_are_left_out(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    proofs = ["intro h\nexact h", "cases h with\n  | inl h => exact h", None]
    results.write_text("".join(json.dumps({"name": str(n), "proof": p}) + "\n" for n, p in enumerate(proofs)))
    (theorem,) = iterate.proved(results, ["a", "b", "c"])
    assert (theorem.statement, theorem.proof.text()) == ("a", "intro h\nexact h")


def test_renamed_statements_mean_the_same(lean: Path) -> None:
    statement = "(α : Type) (P : α → Prop) (a : α) (h : ∀ x, P x) : ∃ y, P y ∧ P a"
    (line,) = renamed_lines([json.dumps({"name": "one", "statement": statement})], [str(lean)], 4)
    record = json.loads(line)
    assert record["name"] == "one-renamed"
    words = set(record["statement"].replace("(", " ").replace(")", " ").replace(",", " ").split())
    assert not {"α", "P", "a", "h", "x", "y"} & words
    before, after = first_goals([str(lean)], [statement, record["statement"]])
    assert local_names(before).hidden(before) == local_names(after).hidden(after)
    assert renamed(statement, before, Random(1)) != renamed(statement, before, Random(2))
