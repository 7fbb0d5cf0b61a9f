"""The starter answers while a larger model is loaded; then that one does."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import pytest_asyncio
from waiting import until

from llmstep.engine import engine as engine_module
from llmstep.engine import prepare
from llmstep.engine.router import EngineRouter
from llmstep.errors import ModelLoadError
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from llmstep.engine.loaded import LoadedModel

ASK = PromptInput(Goal("p q : Prop\nhp : p\n⊢ p ∨ q"))
FEW = SamplingParams(3, 0.7, 1.0, 6, seed=1)
LONG = 60.0


class Gate:
    """Holds the loading of all models but the starter."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loaded: list[str] = []
        self.reached, self.open = threading.Event(), threading.Event()
        self.error: Exception | None = None
        plain: Callable[..., LoadedModel] = prepare.load

        def load(plan: Any, *arguments: Any) -> LoadedModel:
            if plan.name != "starter":
                self.reached.set()
                assert self.open.wait(LONG)
                if self.error is not None:
                    raise self.error
            self.loaded.append(plan.name)
            return plain(plan, *arguments)

        monkeypatch.setattr(engine_module, "load", load)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    monkeypatch.setattr(prepare, "LARGE", 1000)
    return Gate(monkeypatch)


@pytest.fixture
def settings(tiny_models: dict[str, Path]) -> Settings:
    model = str(tiny_models["neox"])
    return attrs.evolve(Settings(), model=model, template="pythia", device="cpu", dtype="float32")


@pytest_asyncio.fixture
async def engine(settings: Settings, gate: Gate) -> AsyncIterator[EngineRouter]:
    made = EngineRouter(settings, with_fallback=True)
    yield made
    gate.open.set()
    await made.close()


async def test_no_pause_in_service(engine: EngineRouter, settings: Settings, gate: Gate) -> None:
    first = await engine.generate(ASK, FEW)
    assert first.model == "starter"
    assert first.candidates
    await asyncio.to_thread(gate.reached.wait, LONG)
    assert engine.status.state == "loading"
    assert engine.status.model == settings.model
    assert engine.known(ASK, FEW) is None  # what the starter said is not remembered as the model's
    again = await engine.generate(ASK, FEW)
    assert (again.model, again.cached) == ("starter", True)
    assert gate.loaded == ["starter"]
    gate.open.set()
    await until(lambda: engine.status.state == "idle")
    last = await engine.generate(ASK, FEW)
    assert last.model == settings.model
    assert not last.cached
    assert gate.loaded == ["starter", settings.model]


async def test_a_request_that_is_given_up_leaves_the_loading(engine: EngineRouter, gate: Gate) -> None:
    task = asyncio.ensure_future(engine.generate(ASK, attrs.evolve(FEW, count=60, max_new_tokens=100)))
    await asyncio.to_thread(gate.reached.wait, LONG)
    task.cancel()
    gate.open.set()
    await until(lambda: engine.status.state == "idle")
    assert engine.settings.model in gate.loaded


async def test_a_model_that_cannot_be_loaded_is_told(engine: EngineRouter, gate: Gate) -> None:
    gate.error = ModelLoadError("It is broken.", hint="Get it again.")
    assert (await engine.generate(ASK, FEW)).model == "starter"
    gate.open.set()
    await until(lambda: engine.status.state == "empty")
    for _ in range(2):
        with pytest.raises(ModelLoadError, match="It is broken"):
            await engine.generate(ASK, FEW)
    gate.error = None
    assert (await engine.generate(ASK, FEW)).model == engine.settings.model


async def test_other_settings_are_followed(
    engine: EngineRouter, settings: Settings, gate: Gate, tiny_models: dict[str, Path]
) -> None:
    """A model that is no longer wanted does not answer, also when it was on its way."""
    await engine.generate(ASK, FEW)
    await asyncio.to_thread(gate.reached.wait, LONG)
    other = attrs.evolve(settings, model=str(tiny_models["llama"]))
    engine.store.change(other)
    assert (await engine.generate(ASK, FEW)).model == "starter"
    gate.open.set()
    await until(lambda: engine.status.state == "idle")

    async def answers() -> bool:
        answer = await engine.generate(ASK, FEW)
        assert answer.model in ("starter", other.model)
        return answer.model == other.model

    await until(answers)


@pytest.mark.parametrize("case", ["small", "asked by name", "not wanted"])
async def test_what_is_not_waited_for(
    settings: Settings, gate: Gate, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """A small model is there soon, the starter is itself, and a program that asks once wants what it names."""
    gate.open.set()
    if case == "small":
        monkeypatch.setattr(prepare, "LARGE", 1 << 30)
    if case == "asked by name":
        settings = attrs.evolve(settings, model="starter", template="")
    engine = EngineRouter(settings, with_fallback=case != "not wanted")
    try:
        assert (await engine.generate(ASK, FEW)).model == settings.model
        assert gate.loaded == [settings.model]
    finally:
        await engine.close()
