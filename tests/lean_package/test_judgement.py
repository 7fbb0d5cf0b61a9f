"""Which suggestions are accepted: each case through the real tactic, with the reason that is shown."""

from __future__ import annotations

from typing import Any

import pytest

AND = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n"
VERBOSE = "set_option llmstep.verbose true\n"


def judged(document: Any) -> tuple[list[str], list[str], dict[str, str]]:
    """Closing, leaving goals, and rejected with reason."""
    actions = [(a.title, a.text.replace("\n  ", "\n")) for a in document.actions]
    closing = [text for title, text in actions if "closes the goal" in title]
    progress = [text for title, text in actions if "leaves" in title]
    reasons = {}
    for message in document.messages:
        if message.text.startswith(("llmstep: rejected\n", "llmstep: ")) and " -- " in message.text:
            for line in message.text.split("\n"):
                text, mark, reason = line.strip().partition(" -- ")
                if mark and not reason.endswith("closes the goal"):
                    reasons[text] = reason
    return closing, progress, reasons


REJECTED = {
    "sorry": "uses `sorry`",
    "admit": "uses `sorry`",
    "exact sorry": "uses `sorry`",
    "exact ⟨hp, sorry⟩": "uses `sorry`",
    "exact ⟨hp, by sorry⟩": "uses `sorry`",
    "refine ⟨?_, sorry⟩": "uses `sorry`",
    "(constructor; sorry)": "uses `sorry`",
    "constructor\n· sorry": "uses `sorry`",
    "have h : p ∧ q := sorry": "uses `sorry`",
    "exact t p q hp hq": "uses the declaration that is being elaborated",
    "apply t <;> assumption": "uses the declaration that is being elaborated",
    "have h := t p q hp hq": "uses the declaration that is being elaborated",
    "skip": "changes nothing",
    "show p ∧ q": "changes nothing",
    "try exact hq": "changes nothing",
    "first | exact hq | skip": "changes nothing",
    "exact hq": "Type mismatch hq has type q but is expected to have type p ∧ q",
    "exact ⟨hp, hr⟩": "Unknown identifier `hr`",
    "exact ⟨hp, by exact hp⟩": "Type mismatch hp has type p but is expected to have type q",
    "constructor <;> exact hp": "Type mismatch hp has type p but is expected to have type q",
    "exact ⟨hp, _⟩": "don't know how to synthesize placeholder",
    "rw [hp]": "",
    "norm_numm": "",
    "exact ⟨hp, hq": "expected '⟩'",
    "exact ⟨hp, hq⟩) <;> (skip": "closes a bracket that it did not open",
    "exact ⟨hp, hq⟩\ntheorem foo : True := trivial": "",
    "induction hp with": "",
    "done": "",
}


def test_rejected(editor: Any, model: Any) -> None:
    model.reset(*REJECTED)
    document = editor.open(VERBOSE + AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    closing, progress, reasons = judged(document)
    assert (closing, progress) == ([], [])
    for text, reason in REJECTED.items():
        assert reasons[" ".join(text.split())].startswith(reason), text
    assert document.errors == []


def test_accepted(editor: Any, model: Any) -> None:
    closes = [
        "exact ⟨hp, hq⟩",
        "exact And.intro hp hq",
        "constructor <;> assumption",
        "constructor\n· exact hp\n· exact hq",
        "constructor; exact hp; exact hq",
        "simp [hp, hq]",
        "refine ⟨?_, ?_⟩ <;> assumption",
        "have «a b» := hp\nexact ⟨«a b», hq⟩",
        "first | exact hr | exact ⟨hp, hq⟩",
        "exact ⟨by assumption, by assumption⟩ -- comment",
        "/- comment -/ exact ⟨hp, hq⟩",
        "exact?",
        "decide_or_not; exact ⟨hp, hq⟩",
    ]
    leaves = ["have h := hp", "refine ⟨hp, ?_⟩", "constructor", "show (fun x => x) (p ∧ q)", "revert hp"]
    model.reset(*closes, *leaves)
    document = editor.open('macro "decide_or_not" : tactic => `(tactic| skip)\n' + VERBOSE + AND + "  llmstep\n")
    closing, progress, reasons = judged(document)
    assert closing == closes
    assert sorted(progress) == sorted(leaves)
    assert reasons == {}


@pytest.mark.parametrize(
    "before",
    [
        "  have h : p := hr\n",
        "  have h : p := by exact hq\n",
        "  have h : p := by\n    simp only [nothing]\n",
        "  have h : p := by sorry\n",
        "  case nowhere => skip\n",
    ],
)
def test_errors_above_do_not_count(editor: Any, model: Any, before: str) -> None:
    model.reset("exact ⟨hp, hq⟩", "exact hq", "exact ⟨hp, sorry⟩")
    document = editor.open("theorem broken : False := nonsense\n" + AND + before + "  llmstep\n  exact ⟨hp, hq⟩\n")
    if "nowhere" in before:  # Lean stops there and does not run what follows
        assert judged(document)[0] == []
    else:
        assert judged(document)[0] == ["exact ⟨hp, hq⟩"]


def test_a_syntax_error_below_hides_nothing(editor: Any, model: Any) -> None:
    """Lean logs no elaboration errors for text that it could not parse to the end; the check logs its own."""
    model.reset("exact ⟨hp, by exact hp⟩", "exact ⟨hp, hr⟩", "exact ⟨hp, hq⟩")
    document = editor.open(AND + "  llmstep\n  exact ⟨\n")
    assert judged(document)[0] == ["exact ⟨hp, hq⟩"]


def test_a_sorry_of_the_statement_is_not_the_suggestions(editor: Any, model: Any) -> None:
    model.reset("rfl", "exact sorry")
    document = editor.open("example : ∃ n : Nat, n = n := by\n  refine ⟨sorry, ?_⟩\n  llmstep\n  rfl\n")
    assert judged(document)[0] == ["rfl"]
    assert "1 rejected" in document.said


def test_a_recursive_call_is_the_theorem_itself(editor: Any, model: Any) -> None:
    model.reset("exact T.self n h", "exact self n h", "exact h")
    document = editor.open(
        "namespace T\ntheorem self (n : Nat) (h : n = 0) : n = 0 := by\n  llmstep\n  exact h\nend T\n"
    )
    assert judged(document)[0] == ["exact h"]
    assert "2 rejected" in document.said


def test_long_runs_are_cut_off_and_cost_the_proof_nothing(editor: Any, model: Any) -> None:
    """Each loop uses all heartbeats of the declaration; the suggestions after it and the proof still run."""
    loops = [f"repeat refine id{' ' * n} ?_" for n in range(3)]
    model.reset(*loops, "exact ⟨hp, hq⟩")
    text = VERBOSE + "set_option maxHeartbeats 300 in\n" + AND + "  llmstep\n  have h := hp\n  exact ⟨h, hq⟩\n"
    document = editor.open(text)
    closing, _, reasons = judged(document)
    assert closing == ["exact ⟨hp, hq⟩"]
    assert reasons == {"repeat refine id ?_": "takes too long"}
    assert document.errors == []


def test_the_option_limits_heartbeats(editor: Any, model: Any) -> None:
    model.reset("repeat refine id ?_", "exact ⟨hp, hq⟩")
    document = editor.open("set_option llmstep.maxHeartbeats 200\n" + VERBOSE + AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    assert judged(document)[2] == {"repeat refine id ?_": "takes too long"}
    assert judged(document)[0] == ["exact ⟨hp, hq⟩"]


def test_five_seconds_are_the_limit_for_what_does_not_allocate(editor: Any, model: Any) -> None:
    loop = '  while true do\n    Core.checkSystem ""\n    IO.sleep 20\n'
    sleep = f'open Lean Elab Tactic in\nelab "sleep" : tactic => do\n{loop}'
    model.reset("sleep", "exact ⟨hp, hq⟩")
    document = editor.open(sleep + VERBOSE + AND + "  llmstep\n  exact ⟨hp, hq⟩\n")
    assert judged(document) == (["exact ⟨hp, hq⟩"], [], {"sleep": "takes too long"})


def test_runtime_exceptions_are_only_the_suggestions(editor: Any, model: Any) -> None:
    model.reset("simp [h]", "exact h.trans (by exact h ▸ rfl)", "exact k")
    header = "theorem loop (f : Nat → Nat) (a b : Nat) (h : a = f a) (k : a = b) : a = b := by\n"
    document = editor.open(VERBOSE + header + "  llmstep\n  exact k\n")
    closing, _, reasons = judged(document)
    assert closing == ["exact k"]
    assert "maximum recursion depth" in reasons["simp [h]"]
    assert document.errors == []
