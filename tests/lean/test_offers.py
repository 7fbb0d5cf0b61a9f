"""What Lean's answers offer in place of a name, as other versions of Lean and hostile files write them."""

from __future__ import annotations

import attrs

from llmstep.lean.names import Misnamed, changes, completions, replacement


def test_offers_of_other_versions_of_lean() -> None:
    name = Misnamed(6, 17, "Nat.add_com", "unknown")
    old = {"label": "add_comm", "kind": 23, "data": {"params": {}, "id": {"const": {"declName": "Nat.add_comm"}}}}
    hostile = [{"label": "add_comm; run", "data": None}, {"label": 3}, "text", {"label": "add_comm", "data": ["c", 1]}]
    assert [each.text for each in completions(name, [old], set(), "t")] == ["Nat.add_comm"]
    assert [each.text for each in completions(name, hostile, set(), "t")] == ["Nat.add_comm"]
    assert completions(name, [old], set(), "Nat.add_comm") == []
    assert completions(name, [old], set(), "Mine.Nat.add_comm") == []
    assert [each.text for each in completions(name, [old], {"Nat"}, "t")] == ["_root_.Nat.add_comm"]


def test_code_actions_that_change_more_than_the_name_are_passed_over() -> None:
    name, place = Misnamed(6, 17, "Nat.add_com", "unknown"), {"start": {"line": 1, "character": 8}, "end": {}}
    change = {"range": place, "newText": "Nat.add_comm"}
    imports = {"range": {"start": {"line": 0, "character": 0}, "end": {}}, "newText": "import Foo\n"}

    def action(*edits: object) -> dict[str, object]:
        return {"title": "Change to …", "edit": {"documentChanges": [{"edits": list(edits)}]}}

    assert [each.text for each in changes(name, [action(change)], place, set(), "t")] == ["Nat.add_comm"]
    assert changes(name, [action(imports, change)], place, set(), "t") == []
    assert changes(name, [action({**change, "newText": "Nat.add_comm; run"}), {"edit": 3}, 4], place, set(), "t") == []


def test_a_deprecated_name_whose_successor_cannot_stand_there_has_no_replacement() -> None:
    field = Misnamed(8, 11, "old", "deprecated", field=True, old="A.old", new="B.new")
    assert replacement(field, set()) is None
    assert replacement(attrs.evolve(field, new="A.new"), set()) == "new"
    whole = Misnamed(6, 11, "x.old", "deprecated", old="A.old", new="A.new")
    assert replacement(whole, {"x"}) == "x.new"
    assert replacement(attrs.evolve(whole, new="B.new"), {"x"}) is None
