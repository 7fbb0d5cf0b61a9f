"""Which `sorry`s of a text are meant, and proofs that Lean accepts one by one but not together."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from lsprotocol.types import Position, Range, TextEdit

from llmstep.search.attempt import Attempt
from llmstep.search.sorries import applied, fill, find_sorries
from llmstep.types import Goal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstep.lean.workspace import LeanWorkspace
    from llmstep.progress import ProgressSink
    from llmstep.search.attempt import Task


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("theorem t : True := by\n  sorry\n", ["sorry\n"]),
        ("theorem t : True := sorry\n", ["sorry\n"]),
        ("theorem t : True := by\n  exact sorry\n", ["sorry\n"]),
        ("theorem t : True ∧ True := ⟨sorry, by sorry⟩\n", ["sorry, by", "sorry⟩"]),
        ("-- sorry\ntheorem t : True := trivial /- sorry -/\n", []),
        ('theorem t : "sorry" = "sorry" := by\n  sorry\n', ["sorry\n"]),
        ("theorem t : True := by\n  exact h.sorry\n  exact sorry'\n", []),
        ("theorem sorry_free : True := by\n  trivial\n", []),
        (
            "theorem a : True := by\n  sorry\n\ntheorem b : True := by\n  · sorry\n",
            ["sorry\n\ntheorem", "sorry\n"],
        ),
        ("", []),
    ],
)
def test_the_words_that_stand_for_a_proof(text: str, starts: list[str]) -> None:
    found = find_sorries(text)
    assert [text[each.start : each.end] for each in found] == ["sorry"] * len(starts)
    assert [text[each.start :].startswith(start) for each, start in zip(found, starts, strict=True)] == [True] * len(
        found
    )
    assert [each.start for each in found] == sorted(each.start for each in found)


def test_edits_of_several_places() -> None:
    def edit(line: int, start: int, end: int, new: str) -> TextEdit:
        return TextEdit(Range(Position(line, start), Position(line, end)), new)

    text = "𝔸 sorry\n  sorry\n"
    assert applied(text, [edit(0, 3, 8, "a\nb"), edit(1, 2, 7, "c")]) == "𝔸 a\nb\n  c\n"
    assert applied(text, [edit(1, 2, 7, "c"), edit(0, 3, 8, "a\nb")]) == "𝔸 a\nb\n  c\n"
    assert applied(text, []) == text


class Proofs:
    """Finds `proof` for every place, and calls a text with both `a` and `b` wrong; a Lean and a prover at once."""

    def __init__(self, proofs: Sequence[str]) -> None:
        self.proofs = list(proofs)

    async def prove(self, task: Task, _: ProgressSink) -> Attempt:
        proof = self.proofs.pop(0)
        [point] = task.points
        edit = point.edit(task.text, proof)
        return Attempt(
            point=point,
            goal=Goal("⊢ p"),
            outcome="proved",
            steps=(proof,),
            proof=proof,
            edit=edit,
            tactics="list",
        )

    async def errors(self, uri: str, text: str) -> list[str]:
        return ["there before"] + ["a and b"] * ("exact a" in text and "exact b" in text)


async def test_proofs_that_do_not_go_together() -> None:
    text = "".join(f"theorem t{n} : p := by\n  sorry\n\n" for n in range(4))
    proofs = Proofs(["exact a", "exact c", "exact b", "exact c"])
    results = await fill("file:///a.lean", text, proofs.prove, cast("LeanWorkspace", proofs), 8)
    assert [each.reason for each in results] == ["", "", "refused beside the other proofs", ""]
