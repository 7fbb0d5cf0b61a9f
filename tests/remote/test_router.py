"""Engines that are switched by the settings, and by a neighbour that lends its model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs
import pytest
from waiting import until

from llmstep.catalog.model_key import ModelKey
from llmstep.engine import router
from llmstep.engine.remote.place import Place
from llmstep.engine.router import EngineRouter
from llmstep.errors import (
    ModelTooLargeError,
    SettingsError,
)
from llmstep.settings import RemoteSettings, Settings

from .another import Scripted, other
from .asks import ASK, SIX
from .conftest import MODEL, FakeServer

if TYPE_CHECKING:
    from llmstep.engine.interface import EngineStatus

# --- switching
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Stands in the place of the engine that would load a model."""
    made = Scripted("own")
    monkeypatch.setattr(router, "Engine", lambda _: made)
    return made


async def test_settings_switch_the_engine(fake: FakeServer, own: Scripted) -> None:
    seen: list[EngineStatus] = []
    async with other() as there:
        engine = EngineRouter(Settings(model="own"))
        engine.watch(seen.append)
        assert (await engine.generate(ASK, SIX)).model == "own"
        engine.store.change(fake.settings())
        assert engine.status.engine == "openai"
        await until(lambda: own.unloads == 1)  # its memory is of no use meanwhile
        assert (await engine.generate(ASK, SIX)).model == MODEL
        engine.store.change(there.settings)
        assert (await engine.generate(ASK, SIX)).model == "scripted"
        engine.store.change(attrs.evolve(there.settings, remote=RemoteSettings()))
        with pytest.raises(SettingsError, match=r"llmstep\.remote\.url is empty"):
            await engine.generate(ASK, SIX)
        engine.store.change(Settings(model="own"))
        assert (await engine.generate(ASK, SIX)).model == "own"
        await engine.close()
    kinds = [status.engine for status in seen]
    assert [kind for at, kind in enumerate(kinds) if kinds[at - 1 : at] != [kind]] == ["openai", "llmstep", "inProcess"]


async def test_a_neighbours_model_is_used_and_its_loss_is_made_up_for(own: Scripted) -> None:
    settings = Settings(model="own")
    key = ModelKey.of(settings).digest
    async with other(settings) as there:
        place: list[Place | None] = [Place(there.server.url, model_key=key)]

        async def neighbour(_: Settings) -> Place | None:
            return place[0]

        engine = EngineRouter(settings, neighbour)
        assert (await engine.generate(ASK, SIX)).model == "scripted"
        assert (engine.status.engine, engine.status.url) == ("shared", there.server.url)
        await until(lambda: own.unloads == 1)
        there.engine.fault = ModelTooLargeError("No room.")  # that would be the same here
        with pytest.raises(ModelTooLargeError):
            await engine.generate(ASK, SIX)
        there.engine.fault = None
        place[0] = Place(there.server.url, model_key="another model by now")
        assert (await engine.generate(ASK, SIX)).model == "own"
        assert engine.status.engine == "inProcess"
        place[0] = Place(there.server.url, model_key=key)
        there.engine.hold = asyncio.Event()
        there.engine.running.clear()
        task = asyncio.create_task(engine.generate(ASK, SIX))
        await there.engine.running.wait()
        await there.server.stop()
        assert (await task).model == "own"
        assert (await engine.generate(ASK, SIX)).model == "own"  # nothing answers there any more
        assert await engine.load() == "own"
        await engine.close()
    assert own.asked[0] == (ASK, SIX)
