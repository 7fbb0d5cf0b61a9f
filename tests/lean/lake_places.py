"""A file beside Lake, a place in it, and verdicts there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.lean.insertion_points import InsertionPoint, find_insertion_point
from llmstep.lean.text import position_at
from llmstep.types import Goal, Verdict

if TYPE_CHECKING:
    from llmstep.lean.workspace import LeanWorkspace

TEXT = "import Dep\n\ntheorem t (p : Prop) (hp : p) : p := by\n  ‸\n"

DEP = "theorem {} (p : Prop) (hp : p) : p := hp\n"


def place(text: str = TEXT) -> tuple[str, InsertionPoint]:
    plain = text.replace("‸", "")
    point = find_insertion_point(plain, position_at(plain, text.index("‸")))
    assert point is not None
    return plain, point


PLAIN, SITE = place()

GOAL = Goal("p : Prop\nhp : p\n⊢ p")


async def verdicts(workspace: LeanWorkspace, uri: str, *candidates: str, text: str = TEXT) -> list[Verdict]:
    plain, point = place(text)
    await workspace.goal(uri, plain, point)
    return [check.verdict for check in await workspace.check(uri, plain, point, candidates)]
