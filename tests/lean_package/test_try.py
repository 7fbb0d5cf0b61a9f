"""`import LLMstep.Try`: Lean's own `try?` asks the server when its tactics find nothing."""

from __future__ import annotations

from typing import Any

HIDDEN = "opaque Hidden : Prop\naxiom _hidden : Hidden\nexample (p : Prop) (hp : p) : Hidden := by\n  try?\n"


def test_try_asks_and_shows_what_runs(editor: Any, model: Any) -> None:
    model.reset("exact _hidden", "exact hp", "exact (")
    document = editor.open("import LLMstep.Try\n" + HIDDEN)
    assert model.last["tactic_state"] == "p : Prop\nhp : p\n⊢ Hidden"
    (message,) = (m for m in document.messages if m.severity == 3)
    assert message.text == "Try this:\n  [apply] exact _hidden"
    edit = document.actions_at(4)[0]
    assert document.change(document.applied(edit)).wait().errors == []


def test_try_without_a_server_says_what_it_always_says(editor: Any, model: Any) -> None:
    document = editor.open("import LLMstep.Try\nset_option llmstep.port 1\n" + HIDDEN)
    assert len(document.errors) == 1
    assert "try?" in document.errors[0]


def test_the_package_alone_leaves_try_as_it_is(editor: Any, model: Any) -> None:
    editor.open(HIDDEN)
    assert model.requests == []
