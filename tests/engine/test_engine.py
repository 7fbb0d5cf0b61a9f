"""What the engine answers, with real models: candidates, the answers that it remembers, its status."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from waiting import until

from llmstep.engine.engine import Engine
from llmstep.engine.interface import EngineStatus
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput, SamplingParams

from .real_engines import ASK, ENDLESS, FEW, Steps, byt5, held, neox

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.engine.loaded import LoadedModel
    from llmstep.progress import Progress

    from .real_engines import Models


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


async def test_a_question_asked_again_is_answered_from_memory(engine: Engine, models: Models) -> None:
    first = await engine.generate(ASK, FEW)
    steps = Steps(models.latest)
    second = await engine.generate(ASK, FEW)
    assert steps.count == 0
    assert second.cached
    assert second.candidates == first.candidates
    second.candidates.clear()  # an answer belongs to who asked
    assert (await engine.generate(ASK, FEW)).candidates == first.candidates
    fresh = await engine.generate(ASK, attrs.evolve(FEW, seed=1))
    assert not fresh.cached
    assert steps.count > 0


async def test_memory_answers_while_the_model_is_busy(engine: Engine, models: Models) -> None:
    first = await engine.generate(ASK, FEW)
    steps = await held(engine, models)
    busy = asyncio.create_task(engine.generate(ASK, ENDLESS))
    await steps.reached()
    assert (await engine.generate(ASK, FEW)).candidates == first.candidates
    busy.cancel()
    steps.remove()


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
    await until(lambda: seen[-1].state == "idle")
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

    await asyncio.to_thread(
        engine.watch, fail
    )  # in a thread without a loop, so that it is called where the model works
    assert (await engine.generate(ASK, FEW)).drawn == 4


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
