"""Premises on their way into the prompt: through the app with a real Lean, and from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from command_line import run
from lsprotocol.types import Position

from llmstep.app import App
from llmstep.catalog.template import in_front
from llmstep.catalog.templates import get_template
from llmstep.engine.engine import Engine
from llmstep.errors import SettingsError
from llmstep.lean.workspace import LeanWorkspace
from llmstep.memory import Document
from llmstep.premises.index import PremiseIndex
from llmstep.premises.lean_search import LeanSearch
from llmstep.premises.retriever import Retriever
from llmstep.settings import LeanSettings, PremiseSettings, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.premises.source import PremiseSource
    from llmstep.types import PromptInput

TEXT = """\
theorem pear_swap (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩

theorem ripe (a b : Prop) (h : a ∧ b) : b ∧ a := by
  sorry
"""
STATE = "a b : Prop\nh : a ∧ b\n⊢ b ∧ a"


def answer(*arguments: object) -> dict[str, Any]:
    printed: dict[str, Any] = json.loads(run("suggest", *arguments))
    return printed


@pytest.mark.lean
async def test_what_lean_names_is_in_the_prompt(
    generator: Path, tmp_path: Path, lean_command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        model=str(generator),
        device="cpu",
        count=1,
        max_new_tokens=8,
        lean=LeanSettings(command=lean_command, timeout_seconds=120),
        premises=PremiseSettings(source="lean", count=1),
    )
    asked: list[PromptInput] = []
    generate = Engine.generate

    async def recorded(self: Engine, ask: PromptInput, *given: Any, **named: Any) -> Any:
        asked.append(ask)
        return await generate(self, ask, *given, **named)

    monkeypatch.setattr(Engine, "generate", recorded)
    engine, lean = Engine(settings), LeanWorkspace(settings)
    app = App(settings, engine=engine, lean=lean)
    document = Document((tmp_path / "Fruit.lean").as_uri(), 1, TEXT)
    try:
        found = await app.suggest(document, Position(3, 2))
        app.store.change(attrs.evolve(settings, premises=PremiseSettings()))
        await app.suggest(document, Position(3, 2), more=True)
    finally:
        await engine.close()
        await lean.close()
    assert found.goal.state == STATE
    with_lean, without = (get_template("byt5-retrieval").prompt(ask) for ask in asked)
    assert with_lean == f"theorem <a>pear_swap</a> (p q : Prop) (h : p ∧ q) : q ∧ p\n\n{STATE}"
    assert without == STATE


def test_the_nearest_of_an_index_are_in_front_of_the_state(
    generator: Path, encoder: Path, corpus: Path, tmp_path: Path
) -> None:
    goal, index = tmp_path / "goal.txt", tmp_path / "index"
    goal.write_text(STATE, encoding="utf-8")
    run("index", "--corpus", corpus, "-o", index, "--encoder", encoder)
    common = ["--temperature", 0, "--device", "cpu", "--json", "--model", generator]
    alone = answer(*common, "--goal-file", goal)
    helped = answer(*common, "--goal-file", goal, "--premise-index", index)
    assert helped["suggestions"] != alone["suggestions"]

    from llmstep.premises.encoder import Encoder

    [query] = Encoder(str(encoder)).embed([STATE])
    premises = [premise for premise, _ in PremiseIndex.load(index).nearest(query, 100)]
    assert len(premises) == 6
    written = tmp_path / "written.txt"
    written.write_text(in_front(STATE, premises, 2300) + STATE, encoding="utf-8")
    plain = answer(*common, "--goal-file", written, "--template", "byt5-state")
    assert plain["suggestions"] == helped["suggestions"]
    assert plain["suggestions"]


def source_in(app: App) -> PremiseSource | None:
    return app.premises.source if app.premises else None


def test_the_settings_decide_who_is_asked(tmp_path: Path) -> None:
    lean = LeanWorkspace(Settings())
    engine = Engine(Settings())
    app = App(Settings(), engine=engine, lean=lean)
    assert app.premises is None
    app.store.change(Settings(premises=PremiseSettings(source="lean")))
    assert isinstance(source_in(app), LeanSearch)
    app.store.change(Settings(premises=PremiseSettings(source="index", index=str(tmp_path))))
    assert isinstance(source_in(app), Retriever)
    kept = app.premises
    app.store.change(Settings(count=3, premises=PremiseSettings(source="index", index=str(tmp_path))))
    assert app.premises is kept  # with the encoder that it has loaded
    app.store.change(Settings(template="byt5-retrieval", premises=PremiseSettings(source="lean")))
    assert isinstance(source_in(app), LeanSearch)
    app.store.change(Settings(template="pythia", premises=PremiseSettings(source="lean")))
    assert app.premises is None  # it would search in vain
    with pytest.raises(SettingsError, match=r"llmstep\.premises\.source"):
        run("suggest", "--premises", "google", "--goal-file", tmp_path)
