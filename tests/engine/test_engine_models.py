"""The model that an engine holds: changed, damaged, downloaded, unloaded."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from waiting import until

from llmstep.engine.engine import Engine
from llmstep.errors import (
    DownloadError,
    GenerationError,
    ModelLoadError,
    ModelNotFoundError,
    ModelTooLargeError,
)

from .real_engines import ASK, FEW, LONG, byt5, held, hook, neox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llmstep.progress import Progress

    from .real_engines import Models


async def test_another_model_takes_effect_with_the_next_request(
    engine: Engine, models: Models, tiny_models: dict[str, Path]
) -> None:
    steps = await held(engine, models)
    running = asyncio.create_task(engine.generate(ASK, FEW))
    await steps.reached()
    engine.store.change(byt5(tiny_models))
    assert engine.status.model == str(tiny_models["neox"])
    following = asyncio.create_task(engine.generate(ASK, FEW))
    await until(lambda: engine.status.queued == 1)
    steps.remove()
    assert (await running).model == str(tiny_models["neox"])
    assert (await following).model == str(tiny_models["byt5"])
    assert engine.status.model == str(tiny_models["byt5"])
    del steps
    await until(lambda: models.alive() == [1])
    assert await engine.load() == str(tiny_models["byt5"])
    assert (engine.status.state, engine.status.device, engine.status.dtype) == ("idle", "cpu", "float32")


async def test_another_format_is_another_model(engine: Engine, tiny_models: dict[str, Path]) -> None:
    first = await engine.generate(ASK, FEW)
    engine.store.change(neox(tiny_models, dtype="bfloat16"))
    second = await engine.generate(ASK, FEW)
    assert not first.cached
    assert not second.cached
    assert engine.status.dtype == "bfloat16"


async def test_settings_that_concern_no_model_do_not_load_it_anew(
    engine: Engine, models: Models, tiny_models: dict[str, Path]
) -> None:
    await engine.load()
    engine.store.change(neox(tiny_models, count=2, max_new_tokens=4, template="starter"))
    assert (await engine.generate(ASK)).drawn == 2
    await until(lambda: models.alive() == [0])


async def test_a_model_that_cannot_be_loaded_leaves_the_one_in_memory(
    engine: Engine, models: Models, tiny_models: dict[str, Path], copy_of: Callable[[str], Path]
) -> None:
    await engine.generate(ASK, FEW)
    broken = copy_of("neox")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    engine.store.change(neox(tiny_models, model=str(broken)))
    with pytest.raises(ModelLoadError, match="where its header says"):
        await engine.generate(ASK, FEW)
    assert engine.status.state == "idle"
    assert engine.status.model == str(tiny_models["neox"])
    engine.store.change(neox(tiny_models))
    assert (await engine.generate(ASK, attrs.evolve(FEW, seed=1))).drawn == 4
    await until(lambda: models.alive() == [0])


async def test_a_load_that_fails_half_way_leaves_a_working_engine(
    engine: Engine, tiny_models: dict[str, Path], copy_of: Callable[[str], Path]
) -> None:
    await engine.load()
    odd = copy_of("neox")
    text = (odd / "config.json").read_text()
    (odd / "config.json").write_text(text.replace('"num_hidden_layers": 2', '"num_hidden_layers": 3'))
    engine.store.change(neox(tiny_models, model=str(odd)))
    for _ in range(2):
        with pytest.raises(ModelLoadError, match="are incomplete"):
            await engine.generate(ASK, FEW)
    assert engine.status.state == "empty"
    engine.store.change(neox(tiny_models))
    assert (await engine.generate(ASK, FEW)).drawn == 4


async def test_a_model_that_is_not_there(engine: Engine, tiny_models: dict[str, Path]) -> None:
    engine.store.change(neox(tiny_models, model="/nowhere/at/all"))
    with pytest.raises(ModelNotFoundError) as caught:
        await engine.generate(ASK, FEW)
    assert caught.value.hint
    engine.store.change(neox(tiny_models))
    assert (await engine.generate(ASK, FEW)).drawn == 4


async def test_a_model_that_fails_once(engine: Engine, models: Models) -> None:
    await engine.load()

    def fail() -> None:
        raise RuntimeError("kaput")

    remove = hook(models.latest, fail)
    with pytest.raises(GenerationError) as caught:
        await engine.generate(ASK, FEW)
    remove()
    assert "kaput" in caught.value.message
    assert (await engine.generate(ASK, FEW)).drawn == 4
    await engine.unload()
    await until(lambda: models.alive() == [])  # although the error is still at hand
    assert caught.value.__cause__ is not None


async def test_from_the_hub(
    engine: Engine, models: Models, hub: Any, tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos["tiny/byt5"] = {path.name: path.read_bytes() for path in tiny_models["byt5"].iterdir()}
    hub.repos["tiny/odd"] = {**hub.repos["tiny/neox"], "config.json": b'{"model_type": "odd"}'}
    hub.repos["tiny/large"] = {**hub.repos["tiny/neox"], "model.safetensors": bytes(2_000_000)}
    hub.repos["tiny/gone"] = hub.repos["tiny/neox"]
    reports: list[Progress] = []
    states: list[str] = []
    stop = engine.watch(lambda status: states.append(status.state))
    engine.store.change(neox(tiny_models, model="tiny/neox"))
    answer = await engine.generate(ASK, FEW, progress=reports.append)
    stop()
    assert answer.model == "tiny/neox"
    downloads = [report for report in reports if report.stage == "download"]
    assert downloads[-1].percent == 100
    assert states.index("downloading") < states.index("generating")

    # What cannot be used is refused before its weights are downloaded.
    engine.store.change(neox(tiny_models, model="tiny/byt5"))
    with pytest.raises(ModelLoadError, match="The template pythia is for "):
        await engine.generate(ASK, FEW)
    engine.store.change(neox(tiny_models, model="tiny/odd"))
    with pytest.raises(ModelLoadError, match="has the architecture 'odd'"):
        await engine.generate(ASK, FEW)
    with monkeypatch.context() as patch:
        patch.setattr("llmstep.engine.device.free_bytes", lambda _: 1000)
        engine.store.change(neox(tiny_models, model="tiny/large"))
        with pytest.raises(ModelTooLargeError, match="The model tiny/large needs about "):
            await engine.generate(ASK, FEW)
    for name in ("byt5", "odd", "large"):
        assert not [request for request in hub.requests if name in request and request.endswith("model.safetensors")]
    await until(lambda: models.alive() == [0])

    hub.dies_after = 1000
    engine.store.change(neox(tiny_models, model="tiny/gone"))
    with pytest.raises(DownloadError):
        await engine.generate(ASK, FEW)
    assert engine.status.state == "idle"
    assert engine.status.model == "tiny/neox"
    await until(lambda: models.alive() == [0])
    engine.store.change(neox(tiny_models, model="tiny/neox"))
    assert (await engine.generate(ASK, FEW)).cached


async def test_cancelling_a_download(engine: Engine, hub: Any, tiny_models: dict[str, Path]) -> None:
    hub.stalls_after = 1000
    engine.store.change(neox(tiny_models, model="tiny/neox"))
    task = asyncio.create_task(engine.load())
    assert await asyncio.to_thread(hub.stalled.wait, LONG)
    assert engine.status.state == "downloading"
    task.cancel()
    await until(lambda: engine.status.state == "empty")
    engine.store.change(neox(tiny_models))
    assert (await engine.generate(ASK, FEW)).drawn == 4  # while the hub is still silent


async def test_loading_goes_on_when_the_request_is_cancelled(engine: Engine, models: Models) -> None:
    """An edit that cancels a request must not make the next one load from the beginning."""
    loading = asyncio.Event()
    task = asyncio.create_task(engine.generate(ASK, FEW, progress=lambda _: loading.set()))
    await loading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: engine.status.state == "idle")
    await until(lambda: models.alive() == [0])


async def test_unload_frees_the_model(engine: Engine, models: Models) -> None:
    await engine.generate(ASK, FEW)
    parts = [weakref.ref(part) for part in vars(models.latest.network).values() if type(part).__weakrefoffset__]
    assert parts
    await engine.unload()
    assert [model() for model in models.loaded] == [None]  # at once, without a collection of garbage
    assert not any(part() for part in parts)
    assert engine.status.state == "empty"
    assert (await engine.generate(ASK, FEW)).cached
    assert (await engine.generate(ASK, attrs.evolve(FEW, seed=1))).drawn == 4


async def idle_time_is_over(tiny_models: dict[str, Path]) -> None:
    """Wait as long as another engine keeps its model that is not used."""
    another = Engine(neox(tiny_models, idle_unload_minutes=0.05 / 60))
    await another.load()
    await until(lambda: another.status.state == "empty")
    await another.close()


async def test_an_idle_model_is_unloaded_but_never_under_a_request(
    engine: Engine, models: Models, tiny_models: dict[str, Path]
) -> None:
    steps = await held(engine, models)
    task = asyncio.create_task(engine.generate(ASK, FEW))
    await steps.reached()
    engine.store.change(neox(tiny_models, idle_unload_minutes=0.05 / 60))
    await idle_time_is_over(tiny_models)
    assert engine.status.state == "generating"
    steps.remove()
    del steps
    assert (await task).drawn == 4
    await until(lambda: engine.status.state == "empty")
    await until(lambda: models.alive() == [])
    assert (await engine.generate(ASK, attrs.evolve(FEW, seed=1))).drawn == 4


async def test_an_idle_model_stays_when_the_settings_say_so(engine: Engine, tiny_models: dict[str, Path]) -> None:
    engine.store.change(neox(tiny_models, idle_unload_minutes=0))
    await engine.load()
    await idle_time_is_over(tiny_models)
    assert engine.status.state == "idle"
