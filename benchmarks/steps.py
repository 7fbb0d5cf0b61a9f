"""Steps with what became of them: every candidate of both sources for a statement, with Lean's verdict.

Of a step that leaves goals, a short search says whether they can be proved. `benchmarks.ranking` fits the order of
suggestions on these steps.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstep.app import App
from llmstep.automation.tactics import tactics_for
from llmstep.bench.theorems import Theorem, read_theorems
from llmstep.errors import LlmstepError
from llmstep.memory import Document
from llmstep.search.attempt import FIXED_TACTICS
from llmstep.search.best_first import Limits, Step, best_first
from llmstep.search.expander import LeanExpander
from llmstep.search.judge import Judge
from llmstep.search.proposals import Proposer
from llmstep.search.state import canonical
from llmstep.types import PromptInput, SamplingParams, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.memory import SuggestionSet
    from llmstep.settings import Settings
    from llmstep.types import Suggestion

EXPANSIONS, SECONDS = 6, 8.0
"""Of the search that says whether the goals which a step leaves can be proved."""
ENDS = ("simp_all", "assumption", "omega", "grind")
"""What is tried behind each of Lean's tactics, to see whether any one step closes a goal."""


class Behind:
    """The states behind a step, for a search."""

    def __init__(self, expander: LeanExpander, step: str) -> None:
        self._expander, self._step = expander, step

    @property
    def varied(self) -> bool:
        return self._expander.varied

    async def expand(self, goals: tuple[str, ...], proof: tuple[str, ...], again: int = 0) -> list[Step]:
        return await self._expander.expand(goals, (self._step, *proof), again)


async def collect(goals: Path, settings: Settings, out: Path, tell: Callable[[str], None]) -> None:
    """Adds the steps for each statement to a JSONL file; statements that it has are passed over.

    Args:
        goals: As for `llmstep bench quality`.
        settings: Say how to ask, and whom.
    """
    done = {str(json.loads(line)["name"]) for line in _lines(out)}
    async with App(settings) as app:
        with tempfile.TemporaryDirectory() as folder:
            for theorem in read_theorems(goals, Path(folder)):
                if theorem.name in done:
                    continue
                try:
                    rows = await _rows_of(app, theorem)
                except LlmstepError as error:
                    tell(f"{theorem.name}: {error}")
                    continue
                _append(out, rows)
                tell(f"{theorem.name}: {len(rows)} steps, {sum(row['right'] for row in rows)} right")


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _append(out: Path, rows: list[dict[str, Any]]) -> None:
    with out.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


async def _rows_of(app: App, theorem: Theorem) -> list[dict[str, Any]]:
    started = time.perf_counter()
    shown: list[float] = []

    def on_update(found: SuggestionSet) -> None:
        if not shown and found.best is not None and found.best.check.verdict.accepted:
            shown.append(time.perf_counter() - started)

    document = Document(theorem.uri, 1, theorem.text)
    found = await app.suggest(document, theorem.position, seed=0, on_update=on_update)
    known: dict[tuple[str, ...], bool] = {}
    rows = []
    for each in (*found.suggestions, *found.rejected):
        right = each.check.verdict is Verdict.CLOSES
        if each.check.verdict is Verdict.PROGRESS:
            if each.check.goals not in known:
                known[each.check.goals] = await _is_proved_behind(app, theorem, found, each)
            right = known[each.check.goals]
        rows.append({**_row(theorem.name, found, each), "right": right, "shown": shown[0] if shown else None})
    closing = next((row["text"] for row in rows if row["verdict"] == Verdict.CLOSES.value), None)
    closing = closing or await _closing(app, theorem, found)
    return [{**row, "closable": closing} for row in rows]


async def _closing(app: App, theorem: Theorem, found: SuggestionSet) -> str | None:
    """A single step that closes the goal, of more than a user waits for; None where there is none among them."""
    ask = PromptInput(found.goal, context=theorem.text[: found.point.start], declaration=found.point.declaration.name)
    more = await app.engine.generate(ask, SamplingParams(128, 1.0, 1.0, 128, 1))
    own = [tactic.text for tactic in tactics_for(found.goal) if not tactic.search]
    single = [each for each in (*own, *(each.text for each in more.candidates)) if "\n" not in each and ";" not in each]
    for text in (*single, *(f"{first} <;> {second}" for first in own for second in ENDS)):
        [check] = await app.lean.check(theorem.uri, theorem.text, found.point, [text])
        if check.verdict is Verdict.CLOSES:
            return text
    return None


async def _is_proved_behind(app: App, theorem: Theorem, found: SuggestionSet, each: Suggestion) -> bool:
    proposer = Proposer(app.engine, SamplingParams(8, 0.7, 1.0, 128, 0), FIXED_TACTICS)
    judge = Judge(app.lean, theorem.uri, theorem.text, found.point, found.goal)
    expander = LeanExpander(judge, proposer)
    limits = Limits(EXPANSIONS, SECONDS)
    search = await best_first(each.check.goals, Behind(expander, each.text), limits, key=canonical)
    return search.proof is not None


def _row(name: str, found: SuggestionSet, each: Suggestion) -> dict[str, Any]:
    candidate, check = each.candidate, each.check
    return {
        "name": name,
        "text": each.text,
        "source": candidate.source,
        "score": candidate.score,
        "tokens": candidate.tokens,
        "chance": candidate.chance,
        "verdict": check.verdict.value,
        "goal": found.goal.text,
        "others": list(found.goal.others),
        "goals": list(check.goals),
    }
