"""Candidates with names that Lean does not have, tried again with those that it offers in their place.

Models know the library of the year that they were trained in; names have changed since. What is tried is judged as any
candidate is.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from llmstep.errors import LeanError, NoGoalError
from llmstep.lean.step import inserted
from llmstep.lean.workspace import LeanWorkspace
from llmstep.memory import Document, SuggestionSet
from llmstep.types import Check, Suggestion, Tried, Verdict
from llmstep.use_cases.gathering import Gathering

TRIES: Final = 2
"""Most texts tried for one candidate."""
MAX: Final = 8
"""Most candidates of one run."""
SECONDS: Final = 8.0
"""So long new ones are begun."""


async def repair_names(gathering: Gathering, lean: LeanWorkspace, document: Document, found: SuggestionSet) -> None:
    """Tries again what only a name may have spoilt, the likeliest candidates first.

    Only our own Lean says that of a candidate. An error of Lean ends it: what is judged already stays.

    Args:
        gathering: Has the candidates, with verdicts; takes what comes of them.
        found: Says where they go, and what each has to begin with.
    """
    place = (document.uri, document.text, found.point)

    async def judge(text: str) -> Check:
        return (await lean.check(*place, [text]))[0]

    until = time.monotonic() + SECONDS
    with contextlib.suppress(LeanError, NoGoalError):
        for wrong in gathering.misnamed()[:MAX]:
            if time.monotonic() > until:
                return
            await _repair(wrong, gathering, judge, lambda text: lean.renamed(*place, text), found.prefix.strip())


async def _repair(
    wrong: Suggestion,
    gathering: Gathering,
    judge: Callable[[str], Awaitable[Check]],
    rename: Callable[[str], Awaitable[Sequence[str]]],
    prefix: str,
) -> None:
    waiting = list(await rename(wrong.text))
    seen = {inserted(wrong.text)}
    tried: list[Tried] = []
    best: tuple[str, Check | None] = ("", None)
    while waiting and len(tried) < TRIES:
        text = waiting.pop(0)
        if inserted(text) in seen or not text.startswith(prefix):
            continue
        seen.add(inserted(text))
        check = gathering.check_of(text) or await judge(text)
        good = _is_better(check, best[1] or wrong.check)
        tried.append(Tried(text, "" if good else check.message or "It is not better."))
        if good:
            best = text, check
        if check.misnamed and len(tried) < TRIES:  # one unknown name hides the next, and a new one may be deprecated
            waiting = [*await rename(text), *([] if good else waiting)]
        elif good:
            break
    if best[1] is not None or (tried and wrong.check.verdict is Verdict.INVALID):
        gathering.repaired(wrong, tried, *best)


def _is_better(new: Check, old: Check) -> bool:
    """Whether Lean accepts it, and at least as gladly as one that it accepted with a deprecated name."""
    if not new.verdict.accepted:
        return False
    return not old.verdict.accepted or (new.verdict, len(new.goals)) == (old.verdict, len(old.goals))
