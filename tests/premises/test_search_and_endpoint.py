"""Premises in proof search and for the tactic's endpoint, with a real Lean, a tiny retriever and a tiny generator."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import pytest
from command_line import run
from lsprotocol.types import Position
from waiting import until

from llmstep.app import App
from llmstep.catalog.templates import get_template
from llmstep.engine.engine import Engine
from llmstep.errors import ModelLoadError
from llmstep.lean.insertion_points import find_insertion_point
from llmstep.lean.workspace import LeanWorkspace
from llmstep.lsp.endpoint import Endpoint
from llmstep.premises.asked import Premises
from llmstep.premises.index import PremiseIndex
from llmstep.premises.lean_search import LeanSearch
from llmstep.premises.retriever import Retriever
from llmstep.premises.source import Whereabouts
from llmstep.search.attempt import Plan, Task
from llmstep.search.prover import StepProver
from llmstep.settings import HttpSettings, LeanSettings, PremiseSettings, Settings
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.types import Premise

TEXT = """\
theorem pear_swap (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩

structure Ripe (a b : Prop) : Prop where
  both : b ∧ a

theorem ripe (a b : Prop) (h : a ∧ b) : Ripe a b := by
  sorry
"""
PLACE = Position(6, 2)
ABOVE = "a b : Prop\nh : a ∧ b\n"
ROOT, INSIDE = f"{ABOVE}⊢ Ripe a b", f"{ABOVE}⊢ b ∧ a"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[PromptInput]:
    """What the engine is asked; it answers as ever."""
    asks: list[PromptInput] = []
    generate = Engine.generate

    async def recorded(self: Engine, ask: PromptInput, *given: Any, **named: Any) -> Any:
        asks.append(ask)
        return await generate(self, ask, *given, **named)

    monkeypatch.setattr(Engine, "generate", recorded)
    return asks


class _Noting:
    """Notes the goals that a source is asked about."""

    def __init__(self, inner: Any, goals: list[str]) -> None:
        self._inner, self._goals = inner, goals

    async def find(self, goal: Goal, where: Whereabouts | None, count: int, seconds: float) -> tuple[Premise, ...]:
        self._goals.append(goal.state)
        found: tuple[Premise, ...] = await self._inner.find(goal, where, count, seconds)
        return found


@pytest.mark.lean
async def test_a_search_has_lean_find_premises_for_every_state_once(
    generator: Path, tmp_path: Path, lean_command: tuple[str, ...], asked: list[PromptInput]
) -> None:
    settings = Settings(
        model=str(generator),
        device="cpu",
        lean=LeanSettings(command=lean_command),
        premises=PremiseSettings(source="lean", timeout_seconds=60),
    )
    engine, lean = Engine(settings), LeanWorkspace(settings)
    goals: list[str] = []
    premises = Premises(_Noting(LeanSearch(lean), goals), 100, 60)
    point = find_insertion_point(TEXT, PLACE)
    assert point is not None
    fixed = ("constructor", "exact pear_swap a b h")
    sampling = SamplingParams(count=1, max_new_tokens=6, seed=0)
    plan = Plan(fixed=fixed, expansions=12, sampling=sampling, patience=0)
    try:
        uri = (tmp_path / "Fruit.lean").as_uri()
        found = await StepProver(engine, lean, premises).prove(Task(uri, TEXT, [point]), plan)
    finally:
        await engine.close()
        await lean.close()
    assert found.steps == ("constructor", "exact pear_swap a b h")
    assert goals[:2] == [ROOT, INSIDE]
    assert len(set(goals)) == len(goals)
    named = {ask.goal.state: [premise.name for premise in ask.premises] for ask in asked}
    assert set(named) == set(goals)
    assert "pear_swap" in named[INSIDE]  # only behind `constructor`, which is in no file
    assert "pear_swap" not in named[ROOT]
    assert "ripe" not in named[ROOT] + named[INSIDE]
    prompt = get_template("byt5-retrieval").prompt(next(ask for ask in asked if ask.goal.state == INSIDE))
    assert "theorem <a>pear_swap</a> (p q : Prop) (h : p ∧ q) : q ∧ p\n\n" in prompt
    assert prompt.endswith(INSIDE)


@pytest.mark.lean
async def test_a_search_that_lean_does_not_end_in_time_finds_nothing_and_harms_nothing(
    tmp_path: Path, lean_command: tuple[str, ...]
) -> None:
    lean = LeanWorkspace(Settings(lean=LeanSettings(command=lean_command)))
    point, uri = find_insertion_point(TEXT, PLACE), (tmp_path / "Fruit.lean").as_uri()
    assert point is not None
    try:
        goal = await lean.goal(uri, TEXT, point)
        assert await LeanSearch(lean).find(goal, Whereabouts(uri, TEXT, point), 100, seconds=0.0) == ()
        checks = await lean.check(uri, TEXT, point, ["exact ⟨pear_swap a b h⟩", "exact h"])
    finally:
        await lean.close()
    assert [check.verdict.value for check in checks] == ["closes", "invalid"]


@pytest.mark.lean
def test_prove_reads_the_premises_of_an_index(
    generator: Path, encoder: Path, corpus: Path, tmp_path: Path, lean: Path, asked: list[PromptInput]
) -> None:
    index, file = tmp_path / "index", tmp_path / "Fruit.lean"
    run("index", "--corpus", corpus, "-o", index, "--encoder", encoder)
    file.write_text(TEXT, encoding="utf-8")
    common = ["prove", file, "--line", 7, "--column", 3, "--lean", lean, "--device", "cpu", "--model", generator]
    limits = ["--expansions", 1, "--count", 1, "--tactics", "model", "--json"]
    for more in ((), ("--premise-index", index), ("--premises", "none", "--premise-index", index)):
        answer = run(*common, *limits, *more, status=1)  # no proof was found
        assert json.loads(answer)["expansions"] == 1
    from llmstep.premises.encoder import Encoder

    [query] = Encoder(str(encoder)).embed([ROOT])
    nearest = tuple(premise for premise, _ in PremiseIndex.load(index).nearest(query, 100))
    assert [ask.premises for ask in asked] == [(), nearest, ()]
    assert {ask.goal.state for ask in asked} == {ROOT}


async def test_the_endpoint_puts_premises_in_front_of_the_state(
    generator: Path, encoder: Path, corpus: Path, tmp_path: Path, asked: list[PromptInput]
) -> None:
    folder = tmp_path / "index"
    await asyncio.to_thread(run, "index", "--corpus", corpus, "-o", folder, "--encoder", encoder)
    settings = Settings(
        model=str(generator),
        device="cpu",
        temperature=0,
        max_new_tokens=12,
        http=HttpSettings(port=0),
        premises=PremiseSettings(source="index", index=str(folder), count=3),
    )
    engine = Engine(settings)
    app = App(settings, engine=engine)
    premises = app.premises
    assert premises is not None
    goals: list[str] = []
    premises.source = _Noting(premises.source, goals)
    endpoint = Endpoint(app)
    endpoint.follow()
    await until(lambda: endpoint.url)
    state = "n m : ℕ\n⊢ n + m = m + n"
    file = "import Lib.Nat.Basic\n\ntheorem t (n m : ℕ) : n + m = m + n := by\n  "
    try:
        async with httpx.AsyncClient(base_url=endpoint.url, trust_env=False, timeout=60) as client:

            async def ask(path: str, **body: str) -> Any:
                answer = await client.post(path, json=body)
                assert answer.status_code == 200, answer.text
                return answer.json()

            alone = await ask("/", tactic_state=state)
            placed = await ask("/", tactic_state=state, context=file)
            assert (await ask("/", tactic_state=state, context=file))["suggestions"] == placed["suggestions"]
            copilot = await ask("/generate", name="x", input=state, prefix="")
            app.store.change(attrs.evolve(settings, premises=PremiseSettings()))
            bare = await ask("/", tactic_state=state)
    finally:
        await endpoint.stop()
    assert goals == [state, state]  # without a file, and with it
    index = PremiseIndex.load(folder)
    from llmstep.premises.encoder import Encoder

    [query] = Encoder(str(encoder)).embed([state])
    everywhere = tuple(premise for premise, _ in index.nearest(query, 3))
    imported = tuple(premise for premise, _ in index.nearest(query, 3, index.accessible(file, "", 3)))
    assert "lonely" in [premise.name for premise in index.premises]
    assert "lonely" not in [premise.name for premise in imported]
    assert [each.premises for each in asked] == [everywhere, imported, ()]
    assert [output["output"] for output in copilot["outputs"]] == alone["suggestions"]
    try:
        greedy = SamplingParams(1, 0.0, 1.0, 12)
        for answer, helpful in ((alone, everywhere), (placed, imported), (bare, ())):
            made = await engine.generate(PromptInput(Goal(state), premises=helpful), greedy)
            assert answer["suggestions"] == [candidate.text for candidate in made.candidates]
    finally:
        await engine.close()


def test_serve_tells_at_once_that_there_is_no_index(generator: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="nowhere holds no index"):
        run("serve", "--port", 0, "--device", "cpu", "--model", generator, "--premise-index", tmp_path / "nowhere")


async def test_a_question_that_is_given_up_is_ended_before_the_next(
    encoder: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "index"
    await asyncio.to_thread(run, "index", "--corpus", corpus, "-o", folder, "--encoder", encoder)
    retriever = Retriever(str(folder), "cpu")
    loads: list[Path] = []
    reached, go_on = threading.Event(), threading.Event()
    load = PremiseIndex.load

    def held(place: Path) -> PremiseIndex:
        loads.append(place)
        reached.set()
        assert go_on.wait(60)
        return load(place)

    monkeypatch.setattr(PremiseIndex, "load", held)
    first = asyncio.create_task(retriever.find(Goal("⊢ p"), None, 3, 60))
    assert await asyncio.to_thread(reached.wait, 60)
    first.cancel()
    second = asyncio.create_task(retriever.find(Goal("⊢ p"), None, 3, 60))
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    found = await second
    assert loads == [folder]
    assert found == await Retriever(str(folder), "cpu").find(Goal("⊢ p"), None, 3, 60)


async def test_what_was_found_is_remembered_for_a_goal_and_a_place(tmp_path: Path) -> None:
    goals: list[str] = []

    class Nothing:
        async def find(self, *_: Any) -> tuple[Premise, ...]:
            return ()

    premises = Premises(_Noting(Nothing(), goals), 5, 1)
    point = find_insertion_point(TEXT, PLACE)
    assert point is not None
    here = Whereabouts("file:///a", TEXT, point)
    assert premises.known(Goal("⊢ p"), here) is None
    for where in (here, here, attrs.evolve(here, steps="constructor"), None, None):
        await premises.find(Goal("⊢ p"), where)
    assert len(goals) == 2
    assert premises.known(Goal("⊢ p"), here) == ()
    await premises.find(Goal("⊢ p"), attrs.evolve(here, text=TEXT + "\n"))
    await premises.find(Goal("⊢ q"), here)
    assert len(goals) == 4
