"""Lean's own tactics beside the model: on the real Lean, with the bundled model or one that fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import pytest_asyncio

from llmstep.app import App
from llmstep.engine.router import EngineRouter
from llmstep.errors import ModelError
from llmstep.lean.insertion_points import find_insertion_points
from llmstep.lean.text import position_at
from llmstep.lean.workspace import LeanWorkspace
from llmstep.memory import Document
from llmstep.search.attempt import Plan, Task
from llmstep.settings import LeanSettings, Settings
from llmstep.types import Check, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from llmstep.engine.interface import Generation
    from llmstep.memory import SuggestionSet

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="module")]

SWAP = "theorem t (p q : Prop) (h : p ∧ q) : q ∧ p := by\n  sorry\n"
ADD = "theorem t : ∀ x y : Nat, x + y = y + x := by\n  sorry\n"


@pytest.fixture(scope="module")
def settings(lean_command: tuple[str, ...]) -> Settings:
    return Settings(model="starter", device="cpu", count=4, max_new_tokens=48, lean=LeanSettings(command=lean_command))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(settings: Settings) -> AsyncIterator[App]:
    engine, lean = EngineRouter(settings), LeanWorkspace(settings)
    yield App(settings, engine=engine, lean=lean)
    await lean.close()
    await engine.close()


def page(folder: Path, text: str) -> Document:
    return Document((folder / "A.lean").as_uri(), 1, text)


async def ask(app: App, folder: Path, text: str, **more: object) -> SuggestionSet:
    at = position_at(text, text.index("sorry"))
    return await app.suggest(page(folder, text), at, seed=1, **more)  # type: ignore[arg-type]


def of_lean(found: SuggestionSet) -> dict[str, Verdict]:
    return {each.text: each.check.verdict for each in found.suggestions if each.candidate.source == "lean"}


async def test_tactics_that_lean_accepts_stand_among_the_suggestions(app: App, tmp_path: Path) -> None:
    found = await ask(app, tmp_path, SWAP)
    tactics = of_lean(found)
    assert tactics["simp_all"] is Verdict.CLOSES
    everything = {each.text: each.check.verdict for each in found.suggestions}  # the model may say the same
    assert everything["obtain ⟨h₁, h₂⟩ := h"] is Verdict.PROGRESS
    assert found.suggestions[0].check.verdict is Verdict.CLOSES
    assert "of Lean's own tactics" in found.summary()
    assert not [each for each in found.rejected if each.candidate.source == "lean"]
    refused = {each.text: each.reason for each in found.refused_tactics}
    assert "rfl" in refused["rfl"]
    assert not {"aesop", "simp_all"} & refused.keys()  # the file has no aesop, and the other is accepted


async def test_the_text_of_a_search_is_the_suggestion(app: App, tmp_path: Path) -> None:
    tactics = of_lean(await ask(app, tmp_path, ADD))
    assert tactics["exact fun x y => Nat.add_comm x y"] is Verdict.CLOSES
    assert not [text for text in tactics if text.endswith("?")]


async def test_every_suggestion_begins_with_the_prefix(app: App, tmp_path: Path) -> None:
    found = await ask(app, tmp_path, ADD, prefix="exact")
    assert "exact fun x y => Nat.add_comm x y" in of_lean(found)
    assert all(each.text.startswith("exact") for each in found.suggestions)


RIGHT_STEPS = [
    ("(f g : Nat → Nat) (h : ∀ n, f n = g n) : f = g", "ext x", Verdict.PROGRESS),
    ("(a b : Nat → Prop) : (∃ n, a n ∧ b n) → ∃ n, b n", "rintro ⟨n, h, h₁⟩", Verdict.PROGRESS),
    ("(p q r : Prop) (both : p ∧ (q ∨ r)) : r ∨ q", "obtain ⟨h, (h₁ | h₁)⟩ := both", Verdict.PROGRESS),
    ("(p q r : Prop) (h : p ∧ q ∨ r) : r ∨ q", "rcases h with ⟨h, h₁⟩ | h", Verdict.PROGRESS),
    ("(m : Nat) : 0 * m = 0", "induction m with | zero => ?_ | succ m ih => ?_", Verdict.PROGRESS),
    ("(xs : List Nat) : xs ++ [] = xs", "induction xs <;> simp_all", Verdict.CLOSES),
    ("(b : Bool) : (b && true) = b", "cases b <;> rfl", Verdict.CLOSES),
    ("(o : Option Nat) (h : o ≠ none) : ∃ n, o = some n", "rcases o with _ | x", Verdict.PROGRESS),
    ("(α : Type) (s : α → Prop) (h : Nonempty α) (k : ∀ x, s x) : ∃ x, s x", "obtain ⟨x⟩ := h", Verdict.PROGRESS),
    ("(n : Nat) : ∃ m, m = n * 2", "exact ⟨_, rfl⟩", Verdict.CLOSES),
    ("(p q : Prop) (hq : q) (hp : p) : p ∧ q", "constructor <;> assumption", Verdict.CLOSES),
    ("(n : Nat) (h : n ≠ n) (p : Prop) : p", "contradiction", Verdict.CLOSES),
]


@pytest.mark.parametrize(("statement", "step", "verdict"), RIGHT_STEPS, ids=[step for _, step, _ in RIGHT_STEPS])
async def test_the_right_step_is_among_them(
    settings: Settings, app: App, tmp_path: Path, statement: str, step: str, verdict: Verdict
) -> None:
    lost = attrs.evolve(settings, model=str(tmp_path / "no-model"))
    engine = EngineRouter(lost)
    found = await ask(App(lost, engine=engine, lean=app.lean), tmp_path, f"theorem t {statement} := by\n  sorry\n")
    await engine.close()
    assert of_lean(found).get(step) is verdict, found.suggestions


class SlowEngine(EngineRouter):
    """Answers when a suggestion of Lean's has been shown."""

    shown: asyncio.Event

    async def generate(self, *args: object, **more: object) -> Generation:
        await self.shown.wait()
        return await super().generate(*args, **more)  # type: ignore[arg-type]


async def test_they_are_shown_while_the_model_works(app: App, settings: Settings, tmp_path: Path) -> None:
    engine = SlowEngine(settings)
    engine.shown = asyncio.Event()
    updates: list[SuggestionSet] = []

    def on_update(found: SuggestionSet) -> None:
        updates.append(found)
        engine.shown.set()

    found = await ask(App(settings, engine=engine, lean=app.lean), tmp_path, SWAP, on_update=on_update)
    await engine.close()
    assert (updates[0].model, updates[0].drawn) == ("", 0)
    assert [each.candidate.source for each in updates[0].suggestions] == ["lean"]
    assert (found.model, found.drawn) == ("starter", 4)


async def test_a_tactic_that_a_file_lacks_is_tried_once(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    check = LeanWorkspace.check

    async def noted(self: LeanWorkspace, *args: Any) -> list[Check]:
        tried.extend(args[3])
        return await check(self, *args)

    monkeypatch.setattr(LeanWorkspace, "check", noted)
    uri_folder = tmp_path / "once"
    searched: list[str] = []
    proposals = LeanWorkspace.proposals

    async def searching(self: LeanWorkspace, *args: Any) -> list[str]:
        searched.append(args[3])
        return await proposals(self, *args)

    monkeypatch.setattr(LeanWorkspace, "proposals", searching)
    await ask(app, uri_folder, SWAP)
    assert "aesop" in tried
    tried.clear()
    await ask(app, uri_folder, ADD)
    assert "simp_all" in tried
    assert "aesop" not in tried
    assert "exact?" in searched
    assert "aesop?" not in searched
    tried.clear()
    points = find_insertion_points(SWAP, position_at(SWAP, SWAP.index("sorry")))
    plan = Plan(tactics="list", fixed=("intro h", "aesop", "tauto", "simp_all"))
    found = await app.prover().prove(Task(page(uri_folder, SWAP).uri, SWAP, points), plan)
    assert (found.proof, tried) == ("simp_all", ["intro h", "simp_all"])


async def test_a_model_that_fails_leaves_leans_tactics(app: App, settings: Settings, tmp_path: Path) -> None:
    lost = attrs.evolve(settings, model=str(tmp_path / "no-model"))
    engine = EngineRouter(lost)
    found = await ask(App(lost, engine=engine, lean=app.lean), tmp_path, SWAP)
    assert isinstance(found.failure, ModelError)
    assert found.summary().startswith(found.failure.message.rstrip("."))
    assert of_lean(found)["simp_all"] is Verdict.CLOSES
    off = App(attrs.evolve(lost, automation="off"), engine=engine, lean=app.lean)
    with pytest.raises(ModelError):
        await ask(off, tmp_path, SWAP)
    await engine.close()


async def test_the_list_of_the_settings_and_the_prefilter(app: App, settings: Settings, tmp_path: Path) -> None:
    listed = ("run_tac pure ()", "run_tac?", "constructor", "sorry")
    own = attrs.evolve(settings, automation_tactics=listed)
    found = await ask(App(own, engine=app.engine, lean=app.lean), tmp_path, SWAP)
    assert set(of_lean(found)) == {"constructor"}


async def test_a_client_that_checks_judges_the_tactics_too(app: App, settings: Settings, tmp_path: Path) -> None:
    asked: list[str] = []

    async def client(*args: object) -> list[Check]:
        texts: Sequence[str] = args[3]  # type: ignore[assignment]
        asked.extend(texts)
        return [Check(Verdict.CLOSES if text == "trivial" else Verdict.INVALID) for text in texts]

    found = await ask(App(settings, engine=app.engine, lean=app.lean), tmp_path, SWAP, checks=client)
    assert of_lean(found) == {"trivial": Verdict.CLOSES}
    assert not [text for text in asked if text.endswith("?")]


async def test_a_client_that_cannot_check_is_asked_once(app: App, settings: Settings, tmp_path: Path) -> None:
    asked: list[object] = []

    async def client(*args: object) -> None:
        asked.append(args[3])

    with_client = App(settings, engine=app.engine, lean=app.lean)
    found = await ask(with_client, tmp_path / "client", ADD, checks=client)
    assert of_lean(found)["exact fun x y => Nat.add_comm x y"] is Verdict.CLOSES
    assert len(asked) == 2  # once for the tactics, once for the candidates of the model
