"""The lines of a goal as `ppGoal` breaks them, which is what models were trained on.

`$/lean/plainGoal` prints each type from the first column and then moves it behind or below its name, so that lines get
too wide, or break elsewhere. A message of Lean's, such as that of `trace_state`, has the goal as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from llmstep.errors import LeanError

if TYPE_CHECKING:
    from llmstep.lean.checker import FileChecker
    from llmstep.lean.insertion_point import InsertionPoint

WIDTH: Final = 120
"""Of a line, in characters, when Lean prints."""

_BEHIND_A_NAME: Final = re.compile(r"^(?!case |⊢)\S.* : \S.*\n +\S", re.MULTILINE)
_TRACE: Final = "trace_state"


async def laid_out(checker: FileChecker, text: str, point: InsertionPoint, goals: Sequence[str]) -> tuple[str, ...]:
    """The goals with the lines of `ppGoal`; as they are where they need no others or Lean does not say."""
    if not any(map(may_differ, goals)):
        return tuple(goals)
    try:
        said = await checker.informations(text, point, _TRACE)
    except LeanError:
        return tuple(goals)
    return from_messages(goals, said)


def may_differ(goal: str) -> bool:
    """Whether `ppGoal` may break the lines of a goal of `plainGoal` elsewhere."""
    return any(len(line) > WIDTH for line in goal.split("\n")) or bool(_BEHIND_A_NAME.search(goal))


def from_messages(goals: Sequence[str], said: Iterable[str]) -> tuple[str, ...]:
    """The goals as a message has them; only blanks and line breaks may differ, else they stay as they are."""
    wanted = [goal.split() for goal in goals]
    for each in said:
        printed = each.strip("\n").split("\n\n")
        if [goal.split() for goal in printed] == wanted:
            return tuple(printed)
    return tuple(goals)
