"""Engines with tiny real models, and models that are held in one of their passes."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import attrs

from llmstep import decoder
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from llmstep.engine.engine import Engine


LONG = 60.0
"""Seconds after which a wait in a test has failed."""

ASK = PromptInput(Goal("p q : Prop\nh : p\n⊢ p ∨ q"))

FEW = SamplingParams(count=4, temperature=1.0, max_new_tokens=8)

ENDLESS = SamplingParams(count=3, temperature=1.0, max_new_tokens=128)


def neox(tiny_models: dict[str, Path], **changes: Any) -> Settings:
    return attrs.evolve(Settings(model=str(tiny_models["neox"]), template="pythia", device="cpu", threads=1), **changes)


def byt5(tiny_models: dict[str, Path], **changes: Any) -> Settings:
    return neox(tiny_models, model=str(tiny_models["byt5"]), template="byt5-state", **changes)


class Models:
    """The models that llmstep's decoder loads while this stands before it, as weak references, oldest first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loaded: list[weakref.ref[Any]] = []
        load = decoder.load

        def watched(*arguments: Any, **options: Any) -> Any:
            model = load(*arguments, **options)
            self.loaded.append(weakref.ref(model))
            return model

        monkeypatch.setattr(decoder, "load", watched)

    @property
    def latest(self) -> Any:
        model = self.loaded[-1]()
        assert model is not None
        return model

    def alive(self) -> list[int]:
        """Which of them are in memory, by number."""
        gc.collect()
        return [number for number, model in enumerate(self.loaded) if model() is not None]


def hook(model: Any, before: Callable[[], None]) -> Callable[[], None]:
    """Have `before` called before each pass through a model; the answer is a function that ends it."""
    network = model.network
    plain = {name: getattr(network, name) for name in ("read", "step")}

    def hooked(name: str) -> Any:
        def run(*arguments: Any) -> Any:
            before()
            return plain[name](*arguments)

        return run

    for name in plain:
        setattr(network, name, hooked(name))

    def remove() -> None:
        for name in plain:
            delattr(network, name)

    return remove


class Steps:
    """Counts the passes through a model, and holds the model in the one with a given number."""

    def __init__(self, model: Any, hold_at: int = 0) -> None:
        self.count = 0
        self.hold_at = hold_at
        self.held = threading.Event()
        self.go_on = threading.Event()
        self._remove = hook(model, self._count)

    def _count(self) -> None:
        self.count += 1
        if self.count == self.hold_at:
            self.held.set()
            assert self.go_on.wait(LONG)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self.held.wait, LONG)

    def remove(self) -> None:
        self.go_on.set()
        self._remove()


async def held(engine: Engine, models: Models) -> Steps:
    """The engine's model, loaded, and held in its third pass of the next generation."""
    await engine.load()
    return Steps(models.latest, hold_at=3)
