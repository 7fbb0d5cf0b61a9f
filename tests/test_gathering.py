"""One run's suggestions: what an edit inserts is what makes two of them one."""

from __future__ import annotations

from llmstep.lean.insertion_points import find_insertion_point
from llmstep.lean.text import position_at
from llmstep.memory import Memory, SuggestionSet
from llmstep.types import Candidate, Check, Goal, Suggestion, Verdict
from llmstep.use_cases.gathering import Gathering

TEXT = "theorem t (p : Prop) (hp : p) : p := by\n  sorry\n"


def gathering(*known: Suggestion) -> Gathering:
    point = find_insertion_point(TEXT, position_at(TEXT, TEXT.index("sorry")))
    assert point is not None
    empty = SuggestionSet(
        uri="file:///A.lean",
        version=1,
        point=point,
        key=point.key(TEXT),
        goal=Goal("⊢ p"),
        prefix="",
    )
    return Gathering(empty, known, Memory(), None, 0.0)


def test_comments_behind_a_step_and_blanks_make_no_other_step() -> None:
    known = Suggestion(Candidate("exact hp -- known", -0.5), Check(Verdict.CLOSES))
    found = gathering(known)
    found.model_candidates([Candidate("exact hp", -0.1), Candidate("simp\n\n", -0.2), Candidate("simp", -0.3)])
    assert found.unchecked() == ["simp\n\n"]
    found.judged("simp\n\n", Check(Verdict.INVALID, message="no"))
    assert found.unchecked() == []
    found.tactic(Suggestion(Candidate("exact hp", None, source="lean"), Check(Verdict.CLOSES)))
    assert [each.text for each in found.update().suggestions] == ["exact hp -- known"]


def test_a_strange_character_in_a_comment_does_not_merge() -> None:
    found = gathering()
    found.model_candidates([Candidate("exact hp -- \u202e", -0.1), Candidate("exact hp", -0.2)])
    assert found.unchecked() == ["exact hp -- \u202e", "exact hp"]
