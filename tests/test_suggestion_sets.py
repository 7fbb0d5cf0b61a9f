"""The order of suggestions, their summary, and the memory of sets, on their own."""

from __future__ import annotations

import attrs
import pytest
from lsprotocol.types import Range
from suggestion_sets import AND, at, judged, set_of, site_of

from llmstep.lean.asking import proof_so_far
from llmstep.lean.text import position_at
from llmstep.memory import SETS_PER_DOCUMENT, Document, Edit, Memory, insertion_points_at
from llmstep.types import Suggestion, Verdict

# --- ranking and summary


def test_closing_ones_first_then_by_the_chance_that_a_proof_goes_on() -> None:
    ranked = set_of(
        [
            judged("unknown", Verdict.UNCHECKED, score=-0.1),
            judged("two", Verdict.PROGRESS, "h : a ∧ b ∧ c ∧ d\n⊢ a", "h : a ∧ b ∧ c ∧ d\n⊢ b", score=-0.1),
            judged("one, unlikely", Verdict.PROGRESS, "⊢ a", score=-0.9),
            judged("one, likely", Verdict.PROGRESS, "⊢ a", score=-0.2),
            judged("wrong", Verdict.INVALID, score=0.0),
            judged("closes, unlikely", Verdict.CLOSES, score=-3),
            judged("closes, likely", Verdict.CLOSES, score=-2),
        ]
    )
    assert [each.text for each in ranked.suggestions] == [
        "closes, likely",
        "closes, unlikely",
        "one, likely",
        "one, unlikely",
        "two",
        "unknown",
    ]
    assert [each.text for each in ranked.rejected] == ["wrong"]
    assert ranked.best
    assert ranked.best.text == "closes, likely"


CLOSES, PROGRESS = judged("c", Verdict.CLOSES), judged("p", Verdict.PROGRESS, "⊢ a")

UNKNOWN_FOO = judged("i", Verdict.INVALID, message="Unknown identifier `foo`")

UNKNOWN_BAR = judged("j", Verdict.INVALID, message="Unknown identifier `bar` more about it")

MISMATCH = judged("k", Verdict.INVALID, message="Type mismatch h has type p.")


@pytest.mark.parametrize(
    ("suggestions", "note", "summary"),
    [
        (
            [
                CLOSES,
                judged("c2", Verdict.CLOSES),
                PROGRESS,
                *(judged(text, Verdict.PROGRESS, "⊢ a") for text in ("p2", "p3")),
                UNKNOWN_FOO,
            ],
            "",
            "10 generated, 6 distinct: 2 close the goal, 3 leave goals, 1 rejected (Unknown identifier `foo`)",
        ),
        ([CLOSES, PROGRESS], "", "10 generated, 2 distinct: 1 closes the goal, 1 leaves goals"),
        (
            [UNKNOWN_FOO, MISMATCH, UNKNOWN_BAR],
            "",
            "10 generated, 3 distinct: 3 rejected (most often, 2 times: Unknown identifier `foo`)",
        ),
        (
            [MISMATCH, UNKNOWN_FOO],
            "",
            "10 generated, 2 distinct: 2 rejected (one of them: Type mismatch h has type p)",
        ),
        ([UNKNOWN_FOO, UNKNOWN_BAR], "", "10 generated, 2 distinct: 2 rejected (Unknown identifier `foo`)"),
        (
            [CLOSES, judged("u", Verdict.UNCHECKED)],
            "Lean took too long.",
            "10 generated, 2 distinct: 1 closes the goal, 1 not checked (Lean took too long)",
        ),
        ([], "", "10 generated, none of them a tactic"),
    ],
)
def test_the_summary_line(suggestions: list[Suggestion], note: str, summary: str) -> None:
    assert set_of(suggestions, note).summary() == summary


def test_the_summary_line_without_a_count_of_samples() -> None:
    """Of a proof that was searched for, and while a run goes on."""
    found = attrs.evolve(set_of([CLOSES]), drawn=0)
    assert found.summary() == "1 found: 1 closes the goal"


# --- memory


def remembered(text: str, *marks: str) -> Memory:
    memory = Memory()
    for mark in marks:
        point = site_of(text, mark)
        memory.remember(attrs.evolve(set_of([CLOSES]), point=point, key=point.key(text)))
    return memory


TWO = """theorem s (p : Prop) (h : p) : p := by
  sorry /- 1 -/

-- an edit of the next line counts as near
theorem t (p : Prop) (h : p) : p := by
  sorry /- 2 -/

-- so here
-- end
"""


def test_sets_come_in_the_order_of_their_places() -> None:
    memory = remembered(TWO, "sorry /- 2", "sorry /- 1")
    assert [known.point.start for known in memory.sets("file:///a.lean")] == [
        TWO.index("sorry /- 1"),
        TWO.index("sorry /- 2"),
    ]
    assert memory.sets("file:///b.lean") == []


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        ("-- end", "-- the end\ntheorem u : True := trivial", [1, 2]),
        ("theorem s", "theorem r", []),
        ("theorem t", "theorem r", [1]),
        ("sorry /- 2", "rfl /- 2", [1]),
        ("sorry /- 1", "rfl /- 1", []),
    ],
)
def test_an_edit_drops_the_sets_it_makes_stale(old: str, new: str, left: list[int]) -> None:
    memory = remembered(TWO, "sorry /- 1", "sorry /- 2")
    memory.edited("file:///a.lean", Edit.between(TWO, TWO.replace(old, new)))
    assert [known.point.start for known in memory.sets("file:///a.lean")] == [
        TWO.index(f"sorry /- {number}") for number in left
    ]


def test_a_place_is_known_wherever_in_it_one_asks() -> None:
    memory = remembered(TWO, "sorry /- 2")
    document = Document("file:///a.lean", 1, TWO)
    for shift in range(6):
        where = position_at(TWO, TWO.index("sorry /- 2") + shift)
        assert memory.known(document, where)
    assert memory.known(document, at(TWO, "sorry /- 1")) is None
    assert memory.known(document, at(TWO, "theorem t")) is None


def test_of_a_range_the_start_counts_or_else_the_end() -> None:
    whole = Range(at(TWO, "theorem t"), at(TWO, "sorry /- 2"))
    position, points = insertion_points_at(TWO, whole)
    assert position == whole.end
    assert points[0].start == TWO.index("sorry /- 2")
    backwards = Range(at(TWO, "sorry /- 1"), at(TWO, "-- end"))
    assert insertion_points_at(TWO, backwards)[1][0].start == TWO.index("sorry /- 1")


def test_memory_is_bounded() -> None:
    text = "".join(f"theorem t{n} : True := by\n  sorry -- {n}\n" for n in range(SETS_PER_DOCUMENT + 5))
    memory = remembered(text, *(f"sorry -- {n}\n" for n in range(SETS_PER_DOCUMENT + 5)))
    sets = memory.sets("file:///a.lean")
    assert len(sets) == SETS_PER_DOCUMENT
    assert sets[0].point.start == text.index("sorry -- 5\n")


# --- what a model may read


@pytest.mark.parametrize(
    ("text", "proof"),
    [
        (AND, ""),
        ("theorem t : p → q → p := by\n  intro hp\n  intro hq\n  sorry\n", "intro hp\nintro hq"),
        (
            "theorem t (n : Nat := 3) : p ∧ q := by\n  constructor\n  · exact a\n  · sorry\n",
            "constructor\n· exact a\n·",
        ),
        ("theorem t : p := by intro h; sorry\n", "intro h;"),
        ("theorem t : p := by\n  -- (:= by\n  have h : q := by\n    sorry\n", "-- (:= by\nhave h : q := by"),
    ],
)
def test_the_proof_so_far(text: str, proof: str) -> None:
    assert proof_so_far(text, site_of(text)) == proof
