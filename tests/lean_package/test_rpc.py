"""`LLMstep.checkSuggestions`: a client has candidates checked by the editor's own Lean server."""

from __future__ import annotations

from typing import Any

import pytest

PROOF = """theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  have «𝔸» := hp; constructor
  · sorry
  · exact hq
"""


def verdicts(answer: Any) -> list[tuple[str, str]]:
    return [(c["text"], c["verdict"]) for c in answer["checked"]]


def test_verdicts_come_in_the_order_asked(editor: Any, model: Any) -> None:
    document = editor.open(PROOF)
    texts = [
        "exact hq",
        "exact hp",
        "sorry",
        "exact id ?_",
        "exact (t p q hp hq).1",
        "have h := hp",
        "exact («𝔸»)",
        "simp?",
    ]
    answer = document.check(4, 4, suggestions=texts)
    assert verdicts(answer) == [
        ("exact hq", "invalid"),
        ("exact hp", "closes"),
        ("sorry", "invalid"),
        ("exact id ?_", "invalid"),
        ("exact (t p q hp hq).1", "invalid"),
        ("have h := hp", "progress"),
        ("exact («𝔸»)", "closes"),
        ("simp?", "invalid"),
    ]
    assert [c["message"] for c in answer["checked"][:3]] == [
        "Type mismatch hq has type q but is expected to have type p",
        "",
        "uses `sorry`",
    ]
    assert answer["checked"][4]["message"] == "uses the declaration that is being elaborated"
    assert answer["checked"][5]["goals"] == ["case left\np q : Prop\nhp : p\nhq : q\n𝔸 h : p\n⊢ p"]
    assert model.requests == []


def test_the_goals_are_those_of_plain_goal(editor: Any, model: Any) -> None:
    document = editor.open(PROOF)
    assert document.lsp.goals(document.name, 3, 29)[0].endswith("⊢ p")
    after = document.check(3, 29, suggestions=["exact hp", "exact ⟨hp, hq⟩", "all_goals assumption"])
    assert [v for _, v in verdicts(after)] == ["closes", "invalid", "closes"]
    assert after["checked"][0]["goals"] == ["case right\np q : Prop\nhp : p\nhq : q\n𝔸 : p\n⊢ q"]
    before = document.check(3, 2, suggestions=["exact hp", "exact ⟨hp, hq⟩"])
    assert [v for _, v in verdicts(before)] == ["invalid", "closes"]


def test_namespaces_and_options_of_the_place(editor: Any, model: Any) -> None:
    text = (
        "namespace A\ntheorem one : 1 = 1 := rfl\nend A\nopen A\nset_option llmstep.maxHeartbeats 200\n"
        "example : 1 = 1 := by\n  sorry\n"
    )
    document = editor.open(text)
    answer = document.check(8, 2, suggestions=["exact one", "repeat refine id ?_", "exact A.one"])
    assert [v for _, v in verdicts(answer)] == ["closes", "invalid", "closes"]
    assert answer["checked"][1]["message"] == "takes too long"


def test_the_clients_limit(editor: Any, model: Any) -> None:
    document = editor.open("example (p : Prop) (h : p) : p := by\n  sorry\n")
    answer = document.check(3, 2, suggestions=["repeat refine id ?_", "exact h"], maxHeartbeats=100)
    assert [v for _, v in verdicts(answer)] == ["invalid", "closes"]


@pytest.mark.parametrize(("line", "column"), [(0, 3), (3, 2), (5, 0)])
def test_no_goal(editor: Any, model: Any, line: int, column: int) -> None:
    document = editor.open("example : True := by trivial\n\n\n\n")
    error = document.check(line, column, suggestions=["trivial"])
    assert error["code"] == -32602
    assert error["message"].startswith("There is no goal")


def test_a_file_that_imports_only_this_part(editor: Any, model: Any) -> None:
    document = editor.open("import LLMstep.Rpc\nexample : True := by\n  sorry\n")
    assert verdicts(document.check(2, 2, suggestions=["trivial"])) == [("trivial", "closes")]


def test_a_file_that_does_not_import_the_package(editor: Any, model: Any) -> None:
    document = editor.open("import Lean\nexample : True := by\n  sorry\n")
    assert document.check(2, 2, suggestions=["trivial"])["code"] == -32601
