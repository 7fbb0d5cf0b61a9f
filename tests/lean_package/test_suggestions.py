"""What the tactic shows: order, texts, positions, and the effect of its code actions, all from the real Lean server."""

from __future__ import annotations

from typing import Any

AND = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n"


def texts(document: Any) -> list[str]:
    return [action.text for action in document.actions]


def test_closing_ones_first_then_the_fewest_goals_then_the_models_order(editor: Any, model: Any) -> None:
    model.reset(
        "constructor", "exact hq", "refine ⟨?_, hq⟩", "exact ⟨hp, hq⟩", "refine And.intro ?_ ?_", "simp [hp, hq]"
    )
    document = editor.open(AND + "  llmstep\n")
    assert texts(document) == [
        "exact ⟨hp, hq⟩",
        "simp [hp, hq]",
        "refine ⟨?_, hq⟩",
        "constructor",
        "refine And.intro ?_ ?_",
    ]


def test_the_message(editor: Any, model: Any) -> None:
    model.reset("constructor", "exact ⟨hp, hq⟩", "exact hq", "exact hq")
    document = editor.open(AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    (message,) = document.messages
    assert message.severity == 3
    assert (message.start, message.end) == ((3, 2), (3, 9))
    assert message.text == (
        "llmstep: 4 suggestions, 3 distinct: 1 closing the goal, 1 leaving goals, 1 rejected\n"
        "  [apply] exact ⟨hp, hq⟩ -- closes the goal\n"
        "  [apply] constructor\n"
        "  Remaining goals:\n"
        "  case left\n  p q : Prop\n  hp : p\n  hq : q\n  ⊢ p\n"
        "  \n"
        "  case right\n  p q : Prop\n  hp : p\n  hq : q\n  ⊢ q"
    )


def test_code_actions_replace_the_whole_call(editor: Any, model: Any) -> None:
    model.reset("exact ⟨hp, hq⟩", "constructor")
    document = editor.open(AND + '  llmstep "𝔸"\n')
    assert [(a.title, a.start, a.end) for a in document.actions] == [
        ("llmstep: exact ⟨hp, hq⟩ (closes the goal)", (3, 2), (3, 14)),
        ("llmstep: constructor (leaves 2 goals)", (3, 2), (3, 14)),
    ]
    assert document.applied(document.actions[0]).endswith("q := by\n  exact ⟨hp, hq⟩\n")


def test_the_edit_of_a_closing_one_leaves_no_error(editor: Any, model: Any) -> None:
    model.reset("exact ⟨hp, hq⟩", "constructor\n· exact hp\n· exact hq", "constructor; exact hp; exact hq", "simp_all")
    document = editor.open(AND + "  llmstep\n")
    assert len(document.actions) == 4
    for action in document.actions:
        assert "closes the goal" in action.title
        assert document.errors_after(action) == []


def test_the_edit_of_the_others_leaves_the_goals_shown(editor: Any, model: Any) -> None:
    model.reset("refine ⟨?_, hq⟩")
    document = editor.open(AND + "  llmstep\n")
    assert "Remaining goals:\n  p q : Prop\n  hp : p\n  hq : q\n  ⊢ p" in document.said
    assert document.errors_after(document.actions[0]) == ["unsolved goals\np q : Prop\nhp : p\nhq : q\n⊢ p"]


def test_the_goal_does_not_change(editor: Any, model: Any) -> None:
    model.reset("exact ⟨hp, hq⟩")
    document = editor.open(AND + "  llmstep\n")
    assert document.errors == ["unsolved goals\np q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"]


PLACES = {
    "bullet": ("  constructor\n  · CALL\n  · exact hq\n", "have h := hp\nexact h", "  · have h := hp\n    exact h\n"),
    "case": (
        "  constructor\n  case left => CALL\n  exact hq\n",
        "have h := hp\nexact h",
        "  case left => have h := hp\n               exact h\n",
    ),
    "combinator": ("  constructor <;> CALL\n", "assumption", "  constructor <;> assumption\n"),
    "combinator, several": ("  constructor <;> CALL\n", "skip; assumption", "  constructor <;> (skip; assumption)\n"),
    "by": ("  exact ⟨by CALL, hq⟩\n", "have h := hp; exact h", "  exact ⟨by have h := hp; exact h, hq⟩\n"),
    "by, lines": (
        "  exact ⟨by CALL, hq⟩\n",
        "have h := hp\nexact h",
        "  exact ⟨by have h := hp\n            exact h, hq⟩\n",
    ),
    "nested": (
        "  have h : p := by\n    CALL\n  exact ⟨h, hq⟩\n",
        "have h := hp\n\nexact h",
        "by\n    have h := hp\n\n    exact h\n  exact",
    ),
    "first": (
        "  refine ⟨?_, hq⟩\n  first | CALL; done | exact hp\n",
        "exact hp",
        "  first | exact hp; done | exact hp\n",
    ),
    "after a semicolon": (
        "  have «𝔸𝔸» := hp; CALL\n",
        "constructor\n· exact «𝔸𝔸»\n· exact hq",
        "  have «𝔸𝔸» := hp; (constructor\n                    · exact «𝔸𝔸»\n                    · exact hq)\n",
    ),
    "all_goals": ("  all_goals CALL\n", "exact ⟨hp, hq⟩", "  all_goals exact ⟨hp, hq⟩\n"),
    "comment": ("  CALL -- comment\n", "exact\n  ⟨hp,\n    hq⟩", "  exact\n    ⟨hp,\n      hq⟩ -- comment\n"),
    "cases": (
        "  CALL\n",
        "cases Or.inl (b := q) hp with\n| inl h => exact ⟨h, hq⟩\n| inr h =>\n  exact ⟨hp, h⟩",
        "hp with\n  | inl h => exact ⟨h, hq⟩\n  | inr h =>\n    exact ⟨hp, h⟩\n",
    ),
}


def test_every_place(editor: Any, model: Any) -> None:
    """Further lines start below the first character, and the text fits where the call stood: Lean takes all edits."""
    model.reset()
    model.answer = {name: [suggestion] for name, (_, suggestion, _) in PLACES.items()}
    source = "".join(
        f"{AND}{proof.replace('CALL', f'llmstep {name!r}')}".replace("'", '"') for name, (proof, _, _) in PLACES.items()
    )
    document = editor.open(source.replace("theorem t ", "example "))
    after = document.text
    for line in reversed([n for n, line in enumerate(document.text.split("\n")) if 'llmstep "' in line]):
        action = document.actions_at(line)[0]
        assert "closes the goal" in action.title, (line, action)
        after = document.applied(action, after)
    for _, _, replaced in PLACES.values():
        assert replaced in after
    assert document.change(after).wait().messages == []


def test_a_file_whose_last_line_is_the_call(editor: Any, model: Any) -> None:
    model.reset("exact ⟨hp, hq⟩")
    document = editor.open(AND + "  llmstep")
    assert document.applied(document.actions[0]).endswith("\n  exact ⟨hp, hq⟩")
    assert document.errors_after(document.actions[0]) == []


def test_a_file_with_crlf(editor: Any, model: Any) -> None:
    model.reset("constructor\n· exact hp\n· exact hq")
    document = editor.open((AND + "  -- 𝔸\n  llmstep\n").replace("\n", "\r\n"))
    assert (document.actions[0].start, document.actions[0].end) == ((4, 2), (4, 9))
    assert model.last["context"].endswith("by\n  -- 𝔸\n  ")


def test_several_goals(editor: Any, model: Any) -> None:
    """The main goal counts; the goals behind it are neither shown as new nor needed to be closed."""
    model.reset("exact hp", "exact id ?_", "refine (fun h => h) ?_", "all_goals assumption")
    document = editor.open(AND + "  constructor\n  llmstep\n  all_goals assumption\n")
    assert [a.title for a in document.actions] == [
        "llmstep: exact hp (closes the goal)",
        "llmstep: all_goals assumption (closes the goal)",
    ]
    model.reset("refine id (id ?_)")
    document = editor.open(AND + "  refine ⟨?_, ?_⟩\n  llmstep\n  all_goals assumption\n")
    assert "none is valid" in document.said
    model.reset("have h := hp")
    document = editor.open(AND + "  refine ⟨?_, ?_⟩\n  llmstep\n  all_goals assumption\n")
    goal = "  case refine_1\n  p q : Prop\n  hp : p\n  hq : q\n  h : p\n  ⊢ p"
    assert document.said.endswith(f"  [apply] have h := hp\n  Remaining goals:\n{goal}")


def test_suggestions_leave_no_trace(editor: Any, model: Any) -> None:
    """Neither messages nor code actions nor traces of a suggestion reach the document."""
    model.reset("exact?", "simp? [hp, hq]", "trace_state; exact ⟨hp, hq⟩", "exact (⟨hp, hq⟩ : p ∧ q)")
    document = editor.open("set_option trace.Meta.Tactic.simp true\n" + AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    assert [m.text[:8] for m in document.messages] == ["llmstep:"]
    assert texts(document) == model.answer


def test_duplicates_and_empty_ones(editor: Any, model: Any) -> None:
    model.reset("exact ⟨hp, hq⟩", "", "exact ⟨hp, hq⟩  ", "\n", "exact ⟨hp, hq⟩\n")
    document = editor.open(AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    assert document.said.startswith(
        "llmstep: 5 suggestions, 1 distinct: 1 closing the goal, 0 leaving goals, 0 rejected"
    )
    assert texts(document) == ["exact ⟨hp, hq⟩"]
