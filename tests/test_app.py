"""The use case on the real model and the real Lean."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import pytest_asyncio
from lsprotocol.types import Diagnostic, Position, Range
from suggestion_sets import AND, at

from llmstep.app import App
from llmstep.engine.engine import Engine
from llmstep.errors import LeanError, NoGoalError
from llmstep.lean.insertion_points import InsertionPoint, find_insertion_points
from llmstep.lean.lexer import lex
from llmstep.lean.step import step_of
from llmstep.lean.text import mask
from llmstep.lean.tokens import tokenize
from llmstep.lean.workspace import LeanWorkspace
from llmstep.memory import Document, SuggestionSet
from llmstep.settings import CheckSettings, LeanSettings, Settings
from llmstep.types import Goal, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from llmstep.progress import Progress


# --- the whole, on the real model and the real Lean


@pytest.fixture(scope="module")
def settings(lean_command: tuple[str, ...]) -> Settings:
    return Settings(
        automation="off",
        model="starter",
        device="cpu",
        count=16,
        max_new_tokens=48,
        lean=LeanSettings(command=lean_command),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(settings: Settings) -> AsyncIterator[App]:
    engine, lean = Engine(settings), LeanWorkspace(settings)
    yield App(settings, engine=engine, lean=lean)
    await lean.close()
    await engine.close()


def count_calls(monkeypatch: pytest.MonkeyPatch, function: Any, asked: Counter[tuple[str, object]]) -> None:
    """Counts the texts that a function is given, in whichever module of llmstep it is called."""

    def counting(text: str, *more: Any) -> Any:
        asked[function.__name__, (text, *more) if function is tokenize else text] += 1
        return function(text, *more)

    for name, module in list(sys.modules.items()):
        if name.startswith("llmstep.") and getattr(module, function.__name__, None) is function:
            monkeypatch.setattr(module, function.__name__, counting)


def document(folder: Path, text: str) -> Document:
    return Document((folder / "A.lean").as_uri(), 1, text)


@pytest.mark.lean
@pytest.mark.asyncio(loop_scope="module")
class TestOnTheRealThing:
    async def test_steps_of_the_work(self, app: App, tmp_path: Path) -> None:
        """First everything is unchecked, then verdicts come one by one, and the last update is the result."""
        page = document(tmp_path, AND)
        updates: list[SuggestionSet] = []
        stages: list[Progress] = []
        result = await app.suggest(page, at(AND, "sorry"), seed=1, on_update=updates.append, progress=stages.append)
        distinct = len(result.suggestions) + len(result.rejected)
        assert result.drawn == 16
        assert 0 < distinct <= 16
        unchecked = [sum(s.check.verdict is Verdict.UNCHECKED for s in update.suggestions) for update in updates]
        assert unchecked[0] == distinct
        assert unchecked[-1] == 0
        assert unchecked == sorted(unchecked, reverse=True)
        assert len(set(unchecked)) == distinct + 1
        assert updates[-1] == result
        assert app.memory.known(page, at(AND, "sorry")) == result
        assert app.memory.sets(page.uri) == [result]
        names = [stage.stage for stage in stages]
        assert names[0] == "goal"
        assert names[-1] == "check"
        assert (stages[-1].done, stages[-1].total) == (distinct, distinct)
        app.memory.forget(page.uri)
        assert app.memory.sets(page.uri) == []

    async def test_verdicts_are_leans(self, app: App, tmp_path: Path) -> None:
        result = await app.suggest(document(tmp_path, AND), at(AND, "sorry"), prefix="constructor", seed=1)
        [split] = [each for each in result.suggestions if each.text == "constructor"]
        assert split.check.verdict is Verdict.PROGRESS
        assert [goal.splitlines()[-1] for goal in split.check.goals] == ["⊢ p", "⊢ q"]

    async def test_each_text_is_masked_and_cut_into_tokens_once(
        self, app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = AND.replace("theorem t", "theorem once_for_each_text")
        asked: Counter[tuple[str, object]] = Counter()
        step_of.cache_clear()
        for function in (mask, lex, tokenize, find_insertion_points):
            count_calls(monkeypatch, function, asked)
        result = await app.suggest(document(tmp_path, text), at(text, "sorry"), seed=1)
        steps = [each.text for each in (*result.suggestions, *result.rejected)]
        assert {("mask", text), ("find_insertion_points", text)} <= asked.keys()
        assert {name for name, _ in asked} == {"mask", "lex", "tokenize", "find_insertion_points"}
        assert any(("lex", step) in asked for step in steps)
        assert {call: count for call, count in asked.items() if count > 1} == {}

    async def test_unsolved_goals_lead_behind_the_last_step(self, app: App, tmp_path: Path) -> None:
        text = "theorem t (p q : Prop) (hq : q) : p → q := by\n  intro hp\n"
        error = Diagnostic(Range(at(text, "by"), at(text, "\n  intro")), "unsolved goals\np q : Prop\n⊢ q")
        result = await app.suggest(document(tmp_path, text), at(text, "by"), diagnostics=[error], seed=1)
        assert result.goal.text.splitlines() == ["p q : Prop", "hq : q", "hp : p", "⊢ q"]

    async def test_no_goal(self, app: App, tmp_path: Path) -> None:
        text = "theorem t (p : Prop) (h : p) : p := by\n  exact h\n"
        finished = Position(1, len("  exact h"))
        for where in (at(text, "theorem"), at(text, "(h"), finished):
            with pytest.raises(NoGoalError):
                await app.suggest(document(tmp_path, text), where)

    async def test_without_lean_the_given_goal_still_gets_suggestions(self, settings: Settings, tmp_path: Path) -> None:
        lost = attrs.evolve(settings, lean=LeanSettings(command=(str(tmp_path / "no-lean"),)))
        engine, lean = Engine(lost), LeanWorkspace(lost)
        alone = App(lost, engine=engine, lean=lean)

        async def given(_: Document, __: InsertionPoint) -> Goal:
            return Goal("p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q")

        page = document(tmp_path, AND)
        try:
            result = await alone.suggest(page, at(AND, "sorry"), goals=given, seed=1)
            with pytest.raises(LeanError):
                await alone.suggest(page, at(AND, "sorry"), seed=1)
        finally:
            await lean.close()
            await engine.close()
        assert {each.check.verdict for each in result.suggestions} == {Verdict.UNCHECKED}
        assert "no-lean" in result.summary()

    async def test_checks_can_be_switched_off(self, app: App, settings: Settings, tmp_path: Path) -> None:
        app.store.change(attrs.evolve(settings, check=CheckSettings(enabled=False)))
        result = await app.suggest(document(tmp_path, AND), at(AND, "sorry"), seed=1)
        app.store.change(settings)
        assert {each.check.verdict for each in result.suggestions} == {Verdict.UNCHECKED}
        assert result.summary().endswith("not checked (checks are switched off)")

    async def test_what_text_alone_refuses_is_refused_without_checks(
        self, app: App, settings: Settings, tmp_path: Path
    ) -> None:
        app.store.change(attrs.evolve(settings, check=CheckSettings(enabled=False)))
        hostile = await app.suggest(document(tmp_path, AND), at(AND, "sorry"), prefix="run_tac pure ()", seed=1)
        app.store.change(settings)
        assert hostile.suggestions == ()
        assert {each.check.message for each in hostile.rejected} == {
            "It uses `run_tac`, which runs code while Lean checks it."
        }

    async def test_more_adds_and_keeps_the_verdicts(self, app: App, tmp_path: Path) -> None:
        page = document(tmp_path, AND)
        first = await app.suggest(page, at(AND, "sorry"), count=3, seed=5)
        more = await app.suggest(page, at(AND, "sorry"), count=3, seed=5, more=True)
        assert (first.drawn, more.drawn) == (3, 6)
        assert set(first.suggestions) <= set(more.suggestions)
        assert {each.text for each in first.rejected} <= {each.text for each in more.rejected}

    async def test_another_model_forgets(self, app: App, settings: Settings, tmp_path: Path) -> None:
        page = document(tmp_path, AND)
        await app.suggest(page, at(AND, "sorry"), count=2)
        app.store.change(attrs.evolve(settings, temperature=0.5))
        assert app.memory.sets(page.uri)
        for change in ({"model": "byt5-state"}, {"dtype": "bfloat16"}, {"engine": "inProcess"}):
            app.store.change(settings)
            await app.suggest(page, at(AND, "sorry"), count=2)
            app.store.change(attrs.evolve(settings, **change))
            assert app.memory.sets(page.uri) == []
        app.store.change(settings)

    async def test_cancelling_stops_the_model_and_the_next_request_works(self, app: App, tmp_path: Path) -> None:
        page = document(tmp_path, AND)
        generating = asyncio.Event()

        def watch(progress: Progress) -> None:
            if progress.stage == "generate":
                generating.set()

        work = asyncio.create_task(app.suggest(page, at(AND, "sorry"), prefix="have", count=256, progress=watch))
        await generating.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        result = await app.suggest(page, at(AND, "sorry"), count=2, seed=3)
        assert result.drawn == 2
        assert app.engine.status.state == "idle"
