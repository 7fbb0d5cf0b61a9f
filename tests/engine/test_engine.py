"""The engine as its callers see it, with real models."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import pytest_asyncio
from waiting import until

from llmstep.engine.engine import Engine, Generation
from llmstep.engine.status import EngineStatus
from llmstep.errors import (
    BusyError,
    CancelledError,
    DownloadError,
    GenerationError,
    ModelLoadError,
    ModelNotFoundError,
    ModelTooLargeError,
)
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from llmstep.engine.loaded import LoadedModel
    from llmstep.progress import Progress

LONG = 60.0
"""Seconds after which a wait in a test has failed."""

ASK = PromptInput(Goal("p q : Prop\nh : p\n⊢ p ∨ q"))
FEW = SamplingParams(count=4, temperature=1.0, max_new_tokens=8)
ENDLESS = SamplingParams(count=3, temperature=1.0, max_new_tokens=128)


@pytest_asyncio.fixture
async def engine(tiny_models: dict[str, Path]) -> AsyncIterator[Engine]:
    """With the tiny GPT-NeoX model, not loaded yet."""
    engine = Engine(neox(tiny_models))
    yield engine
    await engine.close()


def neox(tiny_models: dict[str, Path], **changes: Any) -> Settings:
    return attrs.evolve(Settings(model=str(tiny_models["neox"]), template="pythia", device="cpu", threads=1), **changes)


def byt5(tiny_models: dict[str, Path], **changes: Any) -> Settings:
    return neox(tiny_models, model=str(tiny_models["byt5"]), template="byt5-state", **changes)


def model_of(engine: Engine) -> Any:
    """The model in memory."""
    assert engine._held.model is not None
    return engine._held.model.decoder


def hook(engine: Engine, before: Callable[[], None]) -> Callable[[], None]:
    """Have `before` called before each pass through the engine's model; the answer is a function that ends it."""
    assert engine._held.model is not None
    network: Any = engine._held.model.decoder.network
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

    def __init__(self, engine: Engine, hold_at: int = 0) -> None:
        self.count = 0
        self.hold_at = hold_at
        self.held = threading.Event()
        self.go_on = threading.Event()
        self._remove = hook(engine, self._count)

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


async def held(engine: Engine) -> Steps:
    """The engine's model, loaded, and held in its third pass of the next generation."""
    await engine.load()
    return Steps(engine, hold_at=3)


@pytest.mark.parametrize("which", [neox, byt5])
@pytest.mark.parametrize("prefix", ["", "rw [h"])
async def test_candidates(engine: Engine, tiny_models: dict[str, Path], which: Any, prefix: str) -> None:
    engine.store.change(which(tiny_models))
    ask = attrs.evolve(ASK, prefix=prefix)
    answer = await engine.generate(ask, attrs.evolve(FEW, count=8, seed=1))
    assert answer.model == which(tiny_models).model
    assert (answer.drawn, answer.cached) == (8, False)
    texts = [candidate.text for candidate in answer.candidates]
    assert 0 < len(texts) == len(set(texts)) <= 8
    assert all(text.startswith(prefix) for text in texts)
    scores = [candidate.score for candidate in answer.candidates]
    assert scores == sorted(scores, reverse=True)
    assert all(score < 0 for score in scores)
    assert all(0 < candidate.tokens <= 8 for candidate in answer.candidates)
    again = await engine.generate(ask, attrs.evolve(FEW, count=8, seed=1))
    assert again == attrs.evolve(answer, cached=True, elapsed_ms=again.elapsed_ms)


async def test_the_engine_adds_nothing_to_its_parts(engine: Engine, own_models: dict[str, LoadedModel]) -> None:
    from llmstep.catalog.templates import get_template
    from llmstep.engine.decode import decode
    from llmstep.engine.postprocess import finish
    from llmstep.engine.prompt import encode

    template = get_template("pythia")
    loaded = own_models["neox"]
    sampling = attrs.evolve(FEW, seed=5)
    by_hand = finish(template, ASK, decode(loaded, encode(template, ASK, loaded.tokenizer, 200), sampling))
    answer = await engine.generate(ASK, sampling)
    assert [candidate.text for candidate in answer.candidates] == [candidate.text for candidate in by_hand]
    for ours, theirs in zip(answer.candidates, by_hand, strict=True):
        assert ours.score == pytest.approx(theirs.score, abs=1e-5)


async def test_the_settings_are_the_default(engine: Engine, tiny_models: dict[str, Path]) -> None:
    engine.store.change(neox(tiny_models, count=3, max_new_tokens=2, temperature=0.5))
    answer = await engine.generate(ASK)
    assert answer.drawn == 3
    assert all(candidate.tokens <= 2 for candidate in answer.candidates)
    engine.store.change(neox(tiny_models, count=3, max_new_tokens=2, temperature=0.0))
    assert (await engine.generate(ASK)).drawn == 1


async def test_a_goal_longer_than_the_model_reads(engine: Engine) -> None:
    """256 positions; the prompt is cut and the answer still has room."""
    hypotheses = "\n".join(f"h{number} : p {number} ∧ q {number}" for number in range(200))
    answer = await engine.generate(
        PromptInput(Goal(f"{hypotheses}\n⊢ p 1")), attrs.evolve(FEW, max_new_tokens=1000, count=1)
    )
    assert answer.drawn == 1
    assert all(candidate.tokens <= 128 for candidate in answer.candidates)


async def test_a_question_asked_again_is_answered_from_memory(engine: Engine) -> None:
    first = await engine.generate(ASK, FEW)
    steps = Steps(engine)
    second = await engine.generate(ASK, FEW)
    assert steps.count == 0
    assert second.cached
    assert second.candidates == first.candidates
    second.candidates.clear()  # an answer belongs to who asked
    assert (await engine.generate(ASK, FEW)).candidates == first.candidates
    fresh = await engine.generate(ASK, attrs.evolve(FEW, seed=1))
    assert not fresh.cached
    assert steps.count > 0


async def test_memory_answers_while_the_model_is_busy(engine: Engine) -> None:
    first = await engine.generate(ASK, FEW)
    steps = await held(engine)
    busy = asyncio.create_task(engine.generate(ASK, ENDLESS))
    await steps.reached()
    assert (await engine.generate(ASK, FEW)).candidates == first.candidates
    busy.cancel()
    steps.remove()


async def test_identical_requests_run_the_model_once(engine: Engine) -> None:
    steps = await held(engine)
    tasks = [asyncio.create_task(engine.generate(ASK, FEW)) for _ in range(3)]
    await steps.reached()
    late = asyncio.create_task(engine.generate(ASK, FEW))
    another = asyncio.create_task(engine.generate(ASK, attrs.evolve(FEW, seed=9)))
    await until(lambda: engine.status.queued == 1)  # the other one, which comes behind the late one
    another.cancel()
    steps.go_on.set()
    answers = await asyncio.gather(*tasks, late)
    assert len({tuple(answer.candidates) for answer in answers}) == 1
    assert steps.count <= FEW.max_new_tokens
    assert not any(answer.cached for answer in answers)


async def test_cancelling_one_of_two_leaves_the_other(engine: Engine) -> None:
    steps = await held(engine)
    first, second = (asyncio.create_task(engine.generate(ASK, FEW)) for _ in range(2))
    await steps.reached()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    steps.go_on.set()
    answer = await second
    assert answer.drawn == 4
    assert steps.count > 3


async def test_cancelling_stops_the_model_within_one_step(engine: Engine) -> None:
    steps = await held(engine)
    task = asyncio.create_task(engine.generate(ASK, ENDLESS))
    await steps.reached()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    steps.go_on.set()
    await until(lambda: engine.status.state == "idle")
    assert steps.count <= 4
    assert (await engine.generate(ASK, FEW)).drawn == 4


async def test_a_cancelled_answer_is_not_remembered(engine: Engine) -> None:
    steps = await held(engine)
    task = asyncio.create_task(engine.generate(ASK, FEW))
    await steps.reached()
    task.cancel()
    steps.remove()
    await asyncio.gather(task, return_exceptions=True)
    answer = await engine.generate(ASK, FEW)
    assert not answer.cached
    assert answer.drawn == 4


async def test_what_waits_and_is_cancelled_never_runs(engine: Engine) -> None:
    steps = await held(engine)
    running = asyncio.create_task(engine.generate(ASK, ENDLESS))
    await steps.reached()
    waiting = asyncio.create_task(engine.generate(ASK, FEW))
    await until(lambda: engine.status.queued == 1)
    waiting.cancel()
    await until(lambda: engine.status.queued == 0)
    running.cancel()
    await asyncio.wait({running}, timeout=LONG)  # before the model goes on, so that it sees this in its next pass
    steps.go_on.set()
    await until(lambda: engine.status.state == "idle")
    assert steps.count <= 4


async def test_too_many_requests(engine: Engine) -> None:
    steps = await held(engine)
    running = asyncio.create_task(engine.generate(ASK, ENDLESS))
    await steps.reached()
    many = [asyncio.create_task(engine.generate(ASK, attrs.evolve(FEW, seed=seed))) for seed in range(40)]
    done, _ = await asyncio.wait(many, timeout=LONG, return_when=asyncio.FIRST_EXCEPTION)
    await until(lambda: engine.status.queued == 32)
    assert isinstance(next(iter(done)).exception(), BusyError)
    for task in (running, *many):
        task.cancel()
    steps.remove()
    errors = await asyncio.gather(running, *many, return_exceptions=True)
    assert sum(isinstance(error, BusyError) for error in errors) == 8


async def test_the_loop_goes_on_while_the_model_runs(engine: Engine) -> None:
    """The model waits in every step until the event loop has made a turn; blocked, it would wait in vain."""
    await engine.load()
    turn = threading.Semaphore(0)

    def wait_for_a_turn() -> None:
        assert turn.acquire(timeout=LONG)

    async def turns() -> None:
        while True:
            turn.release()
            await asyncio.sleep(0)

    remove = hook(engine, wait_for_a_turn)
    ticking = asyncio.create_task(turns())
    try:
        answer = await engine.generate(ASK, FEW)
    finally:
        ticking.cancel()
        remove()
    assert answer.drawn == 4


async def test_progress_and_status(engine: Engine) -> None:
    reports: list[Progress] = []
    threads: set[threading.Thread] = set()
    seen: list[EngineStatus] = []

    def on_progress(progress: Progress) -> None:
        reports.append(progress)
        threads.add(threading.current_thread())

    stop = engine.watch(seen.append)
    name = engine.settings.model
    assert engine.status == EngineStatus("empty", model=name)
    await engine.generate(ASK, FEW, progress=on_progress)
    await asyncio.sleep(0)
    assert [report.stage for report in reports] == sorted((report.stage for report in reports), reverse=True)
    assert {report.stage for report in reports} == {"load", "generate"}
    assert threads == {threading.current_thread()}
    states = [status.state for status in seen]
    assert [state for state, before in zip(states, ["", *states], strict=False) if state != before][-3:] == [
        "loading",
        "generating",
        "idle",
    ]
    status = engine.status
    assert status == EngineStatus("idle", name, "cpu", "float32", last_ms=status.last_ms, queued=0)
    assert status.last_ms is not None
    assert status.last_ms > 0
    assert seen[-1] == status
    stop()
    await engine.generate(ASK, attrs.evolve(FEW, seed=2))
    assert seen[-1] == status


async def test_a_watcher_that_fails_harms_nobody(engine: Engine, tiny_models: dict[str, Path]) -> None:
    def fail(_: EngineStatus) -> None:
        raise RuntimeError("watcher")

    engine._board.watch(fail)
    assert (await engine.generate(ASK, FEW)).drawn == 4


async def test_another_model_takes_effect_with_the_next_request(engine: Engine, tiny_models: dict[str, Path]) -> None:
    steps = await held(engine)
    old = weakref.ref(model_of(engine))
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
    gc.collect()
    assert old() is None
    assert await engine.load() == str(tiny_models["byt5"])
    assert (engine.status.state, engine.status.device, engine.status.dtype) == ("idle", "cpu", "float32")


async def test_another_format_is_another_model(engine: Engine, tiny_models: dict[str, Path]) -> None:
    first = await engine.generate(ASK, FEW)
    engine.store.change(neox(tiny_models, dtype="bfloat16"))
    second = await engine.generate(ASK, FEW)
    assert not first.cached
    assert not second.cached
    assert engine.status.dtype == "bfloat16"


async def test_settings_that_concern_no_model_do_not_load_it_anew(engine: Engine, tiny_models: dict[str, Path]) -> None:
    await engine.load()
    model = model_of(engine)
    engine.store.change(neox(tiny_models, count=2, max_new_tokens=4, template="starter"))
    assert (await engine.generate(ASK)).drawn == 2
    assert model_of(engine) is model


async def test_a_model_that_cannot_be_loaded_leaves_the_one_in_memory(
    engine: Engine, tiny_models: dict[str, Path], copy_of: Callable[[str], Path]
) -> None:
    await engine.generate(ASK, FEW)
    model = model_of(engine)
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
    assert model_of(engine) is model


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


async def test_a_model_that_fails_once(engine: Engine) -> None:
    await engine.load()

    def fail() -> None:
        raise RuntimeError("kaput")

    remove = hook(engine, fail)
    with pytest.raises(GenerationError) as caught:
        await engine.generate(ASK, FEW)
    remove()
    assert "kaput" in caught.value.message
    assert (await engine.generate(ASK, FEW)).drawn == 4
    model = weakref.ref(model_of(engine))
    await engine.unload()
    gc.collect()
    assert model() is None  # although the error is still at hand
    assert caught.value.__cause__ is not None


async def test_from_the_hub(
    engine: Engine, hub: Any, tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
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
    model = model_of(engine)

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
    assert model_of(engine) is model

    hub.dies_after = 1000
    engine.store.change(neox(tiny_models, model="tiny/gone"))
    with pytest.raises(DownloadError):
        await engine.generate(ASK, FEW)
    assert engine.status.state == "idle"
    assert engine.status.model == "tiny/neox"
    assert model_of(engine) is model
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


async def test_loading_goes_on_when_the_request_is_cancelled(engine: Engine) -> None:
    """An edit that cancels a request must not make the next one load from the beginning."""
    loading = asyncio.Event()
    task = asyncio.create_task(engine.generate(ASK, FEW, progress=lambda _: loading.set()))
    await loading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: engine.status.state == "idle")
    assert model_of(engine) is not None


async def test_unload_frees_the_model(engine: Engine) -> None:
    await engine.generate(ASK, FEW)
    model = weakref.ref(model_of(engine))
    tensor = weakref.ref(model_of(engine).network._embed)
    await engine.unload()
    assert model() is None
    assert tensor() is None
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
    engine: Engine, tiny_models: dict[str, Path]
) -> None:
    steps = await held(engine)
    model = weakref.ref(model_of(engine))
    task = asyncio.create_task(engine.generate(ASK, FEW))
    await steps.reached()
    engine.store.change(neox(tiny_models, idle_unload_minutes=0.05 / 60))
    await idle_time_is_over(tiny_models)
    assert engine.status.state == "generating"
    steps.remove()
    del steps
    assert (await task).drawn == 4
    await until(lambda: engine.status.state == "empty")
    gc.collect()
    assert model() is None
    assert (await engine.generate(ASK, attrs.evolve(FEW, seed=1))).drawn == 4


async def test_an_idle_model_stays_when_the_settings_say_so(engine: Engine, tiny_models: dict[str, Path]) -> None:
    engine.store.change(neox(tiny_models, idle_unload_minutes=0))
    await engine.load()
    await idle_time_is_over(tiny_models)
    assert engine.status.state == "idle"


def test_several_loops(tiny_models: dict[str, Path]) -> None:
    engine = Engine(neox(tiny_models))
    answers: list[Generation] = []

    def ask(seed: int) -> None:
        answers.append(asyncio.run(engine.generate(ASK, attrs.evolve(FEW, seed=seed))))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in (1, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert [answer.drawn for answer in answers] == [4, 4, 4]
    assert len({tuple(answer.candidates) for answer in answers}) == 2
    asyncio.run(engine.close())


async def test_close(tiny_models: dict[str, Path]) -> None:
    engine = Engine(neox(tiny_models))
    steps = await held(engine)
    model = weakref.ref(model_of(engine))
    running = asyncio.create_task(engine.generate(ASK, ENDLESS))
    await steps.reached()
    waiting = asyncio.create_task(engine.generate(ASK, FEW))
    await until(lambda: engine.status.queued == 1)
    closing = asyncio.create_task(engine.close())
    await until(waiting.done)  # which closing ends at once
    steps.remove()
    del steps
    await closing
    for task in (running, waiting):
        with pytest.raises(CancelledError):
            await task
    with pytest.raises(CancelledError) as caught:
        await engine.generate(ASK, FEW)
    assert caught.value.message == "The model's engine was closed."
    gc.collect()
    assert model() is None
    assert engine._worker._thread is not None
    assert not engine._worker._thread.is_alive()
    await engine.close()  # once more does no harm


PROGRAM = """
import asyncio, sys, threading
importers = {}

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "transformers"):
            importers.setdefault(name, threading.current_thread().name)

sys.meta_path.insert(0, Watch())
from llmstep.engine.engine import Engine
from llmstep.settings import Settings
from llmstep.types import PromptInput, Goal, SamplingParams
assert not importers, importers

async def main():
    engine = Engine(Settings(model="starter", device="cpu", dtype="bfloat16"))  # what the starter needs torch for
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    counting = asyncio.create_task(count())
    answer = await engine.generate(PromptInput(Goal("p q : Prop\\nh : p\\n⊢ p ∨ q")), SamplingParams(count=8, seed=1))
    counting.cancel()
    assert importers == dict.fromkeys(("torch", "transformers"), "llmstep-model"), importers
    assert turns > 20, turns
    assert answer.model == "starter"
    print(len(answer.candidates))
    await engine.close()

asyncio.run(main())
"""


def test_torch_is_imported_by_the_worker_and_the_starter_answers() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert 1 <= int(done.stdout) <= 8
    assert done.stderr == ""


async def test_the_starter_suggests_tactics() -> None:
    """By name, and as what `auto` falls back to."""
    ask = PromptInput(Goal("a b : Prop\nha : a\n⊢ a ∨ b"), prefix="exact ")
    for settings in (Settings(model="starter", device="cpu"), Settings(device="cpu")):
        engine = Engine(settings)
        try:
            answer = await engine.generate(ask, SamplingParams(count=8, temperature=0.7, seed=1))
        finally:
            await engine.close()
        assert answer.model == "starter"
        texts = [candidate.text for candidate in answer.candidates]
        assert texts
        assert all(text.startswith("exact ") and len(text) > len("exact ") for text in texts)
