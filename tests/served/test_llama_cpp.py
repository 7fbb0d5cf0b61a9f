"""A real llama.cpp in a child of its own, with the starter as a GGUF file."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import psutil
import pytest
from gguf_models import starter_gguf
from processes import until_gone, wait_until_gone, words

from llmstep.catalog import store
from llmstep.catalog.gguf import choose_gguf
from llmstep.engine.remote import connection
from llmstep.engine.remote.questions import Question
from llmstep.engine.served import launches
from llmstep.errors import LlmstepError
from llmstep.settings import Settings
from llmstep.types import Goal, PromptInput, SamplingParams

from .conftest import engine_for, guards

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.engine.router import EngineRouter

ASK = PromptInput(Goal("p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"))
EITHER = PromptInput(Goal("p q : Prop\nh : p ∨ q\n⊢ q ∨ p"))
"""Has several likely steps."""
SAMPLING = SamplingParams(10, 0.7, 1.0, 48, 3)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.02)


def family(engine: EngineRouter) -> list[psutil.Process]:
    """The guard and the server below it."""
    assert engine.status.engine == "llama.cpp"
    [guard] = guards()
    return [guard, *guard.children(recursive=True)]


async def test_the_steps_and_scores_of_the_same_model_in_process(gguf: Path) -> None:
    greedy, warm = attrs.evolve(SAMPLING, temperature=0.0), attrs.evolve(SAMPLING, count=64, temperature=1.5)
    async with engine_for("starter", device="cpu") as here:
        expected = {
            ask: (await here.generate(ask, greedy)).candidates for ask in (ASK, PromptInput(ASK.goal, prefix="exact "))
        }
        spread = {each.text: each.score for each in (await here.generate(EITHER, warm)).candidates}
    said: list[str] = []
    async with engine_for(gguf) as engine:
        for ask, candidates in expected.items():
            [found] = (await engine.generate(ask, greedy, progress=lambda each: said.append(each.message))).candidates
            assert found.text == candidates[0].text
            assert found.score == pytest.approx(candidates[0].score, abs=0.2)  # without the end token's
        answer = await engine.generate(EITHER, warm)  # twice as many as there are slots
        assert answer.drawn == 64
        both = {each.text for each in answer.candidates} & set(spread)
        assert len(both) > 1
        assert (engine.status.engine, engine.status.state, engine.status.model) == ("llama.cpp", "idle", str(gguf))
        again = await engine.generate(EITHER, warm)
        assert again.cached
        server = family(engine)
        assert engine.status.url.startswith("http://127.0.0.1:")
        async with httpx.AsyncClient(trust_env=False, timeout=60) as stranger:
            assert (await stranger.post(f"{engine.status.url}/completion", json={"prompt": "x"})).status_code == 401
        assert not any("LLAMA_API_KEY" in word for each in server for word in words(each))
    assert said[0] == f"Starting llama.cpp with {gguf} (0 s)"
    await until_gone(server)


CHAT = (
    "{% for m in messages %}<|head|>{{ m.role }}: {{ m.content }}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}<|head|>assistant: {% endif %}"
)


async def test_a_chat_is_written_by_the_rule_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts: list[str] = []
    body = Question.body

    def noted(self: Question, *args: Any) -> dict[str, Any]:
        made = body(self, *args)
        prompts.append(made["prompt"])
        return made

    monkeypatch.setattr(Question, "body", noted)
    file = starter_gguf(tmp_path / "chat.gguf", chat=CHAT)
    async with engine_for(file, template="instruct", max_thinking_tokens=0) as engine:
        answer = await engine.generate(PromptInput(ASK.goal, prefix="exact "), attrs.evolve(SAMPLING, count=2))
    assert answer.drawn == 2
    assert prompts[0].startswith("<|head|>user: This is the state of a proof")
    assert prompts[0].endswith("<|eot|><|head|>assistant: exact")


async def test_killed_and_back_also_in_the_midst(gguf: Path) -> None:
    async with engine_for(gguf) as engine:
        first = await engine.generate(ASK, SAMPLING)
        family(engine)[1].kill()
        second = await engine.generate(ASK, attrs.evolve(SAMPLING, seed=4))
        assert {first.drawn, second.drawn} == {10}
        long = attrs.evolve(SAMPLING, count=32, max_new_tokens=128, temperature=5.0)
        started = asyncio.Event()
        task = asyncio.create_task(engine.generate(ASK, long, progress=lambda _: started.set()))
        await started.wait()
        family(engine)[1].send_signal(signal.SIGABRT)  # as a failed assertion does
        assert (await task).drawn == 32


async def test_another_model_ends_the_server_and_so_does_unloading(gguf: Path) -> None:
    async with engine_for(gguf) as engine:
        await engine.load()
        server = family(engine)
        engine.store.change(Settings(model="starter", device="cpu"))
        assert (await engine.generate(ASK, SAMPLING)).model == "starter"
        await until_gone(server)
        engine.store.change(Settings(model=str(gguf), template="starter"))
        await engine.generate(ASK, SAMPLING)
        server = family(engine)
        await engine.unload()
        await until_gone(server)
        assert engine.status.state == "empty"
        assert (await engine.generate(ASK, attrs.evolve(SAMPLING, seed=9))).drawn == 10


@pytest.mark.slow
def test_the_server_ends_when_llmstep_is_killed(gguf: Path) -> None:
    command = [sys.executable, "-m", "llmstep", "serve", "--port", "0", "--model", str(gguf), "--template", "starter"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LLMSTEP_")}
    with subprocess.Popen(command, env=inherited, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("llmstep listens at ")
        below = psutil.Process(process.pid).children(recursive=True)
        assert any("llama_main" in " ".join(words(each)) for each in below)
        process.kill()
    wait_until_gone(below)


async def test_cancelling_gives_the_slots_back(gguf: Path) -> None:
    long = SamplingParams(32, 5.0, 1.0, 128, 1)
    async with engine_for(gguf, max_new_tokens=128) as engine:
        await engine.load()
        started = asyncio.Event()
        task = asyncio.create_task(engine.generate(ASK, long, progress=lambda _: started.set()))
        await started.wait()
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        assert (await engine.generate(ASK, attrs.evolve(long, count=4, max_new_tokens=8))).drawn == 4


@pytest.mark.parametrize(
    ("model", "template", "message"),
    [
        ("{folder}/none.gguf", "starter", "There is no GGUF file {folder}/none.gguf."),
        ("{folder}/two", "starter", "The folder {folder}/two holds 2 GGUF files."),
        ("{folder}/text.gguf", "starter", "The file {folder}/text.gguf is no GGUF file."),
        ("{folder}/cut.gguf", "starter", "llama.cpp could not start with {folder}/cut.gguf (status"),
        ("{folder}/cut.gguf", "", "The prompt template of the model"),
        ("{folder}/cut.gguf", "byt5-state", "The template byt5-state is for encoder-decoder models"),
        ("ntp-state-1.3b", "", "No GGUF file of the model ntp-state-1.3b is known."),
        ("owner/name", "starter", "No GGUF file of the model owner/name is known."),
        ("{folder}/text.gguf", "in process", "The model {folder}/text.gguf is a GGUF file, which only llama.cpp runs."),
        ("auto", "", "No GGUF file of a model of the catalog is on this machine."),
    ],
)
async def test_what_cannot_be_run_is_said(gguf: Path, tmp_path: Path, model: str, template: str, message: str) -> None:
    (tmp_path / "two").mkdir()
    for name in ("two/a.gguf", "two/b.gguf", "text.gguf"):
        (tmp_path / name).write_text("none")
    (tmp_path / "cut.gguf").write_bytes(gguf.read_bytes()[:100_000])  # noqa: ASYNC240
    kind = {"engine": "inProcess"} if template == "in process" else {"engine": "llama.cpp", "template": template}
    async with engine_for(model.format(folder=tmp_path), **kind) as engine:
        for _ in range(2):  # the second time it is looked at anew
            with pytest.raises(LlmstepError) as caught:
                await engine.generate(ASK, SAMPLING)
            assert caught.value.message.startswith(message.format(folder=tmp_path))
            assert caught.value.hint
        assert engine.status.state == "empty"


def test_a_file_of_the_catalog_or_of_the_hub_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(store, "cached_file", lambda *_: None)
    known = choose_gguf(Settings(model="bfs-prover"))
    assert (known.name, known.template.name, known.path) == ("bfs-prover-v2-7b", "bfs", None)
    assert known.source.count("/") == 2
    assert known.source.endswith(".gguf")
    other = choose_gguf(Settings(model="someone/BFS-Prover-V1-GGUF/q4/BFS.gguf"))
    assert (other.source, other.template.name) == ("someone/BFS-Prover-V1-GGUF/q4/BFS.gguf", "bfs")


@pytest.mark.parametrize(
    ("model", "machine", "wanted"),
    [
        ("some.gguf", {}, True),
        ("starter", {}, False),
        ("auto", {}, False),
        ("bfs-prover-v2-7b", {}, False),
        ("bfs-prover-v2-7b", {"bytes": False}, True),
        ("bfs-prover-v2-7b", {"bytes": False, "cuda": True}, False),
        ("bfs-prover-v2-7b", {"bytes": False, "file": False}, False),
        ("bfs-prover-v2-7b", {"bytes": False, "llama": False}, False),
        ("bfs-prover-v2-7b", {"apple": True}, True),
        ("bfs-prover-v2-7b", {"apple": True, "device": "cpu"}, False),
        ("bfs-prover-v2-7b", {"free": 7e9}, True),
        ("bfs-prover-v2-7b", {"free": 4e9}, False),
    ],
)
def test_when_auto_takes_llama_cpp(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: str, machine: dict[str, Any], wanted: bool
) -> None:
    file = tmp_path / "model.gguf"
    with file.open("wb") as opened:
        opened.truncate(4_700_000_000)  # takes no room on the disk
    monkeypatch.setattr(store, "cached_file", lambda *_: file if machine.get("file", True) else None)
    monkeypatch.setattr(launches, "llama_server", lambda: ("llama-server",) if machine.get("llama", True) else ())
    monkeypatch.setattr(launches, "has_cuda", lambda: machine.get("cuda", False))
    monkeypatch.setattr(launches, "has_apple_gpu", lambda: machine.get("apple", False))
    monkeypatch.setattr(launches, "has_byte_products", lambda: machine.get("bytes", True))
    monkeypatch.setattr(launches.devices, "free_bytes", lambda _: machine.get("free", 64e9))
    settings = Settings(model=model, device=machine.get("device", "auto"))
    assert launches.prefers_llama_cpp(settings) is wanted
    assert not launches.prefers_llama_cpp(attrs.evolve(settings, engine="inProcess"))
