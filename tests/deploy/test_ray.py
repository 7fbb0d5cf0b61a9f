"""Ray Serve with the files of `deploy/ray`, on two replicas, one of which is killed under load: `make test-deploy`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import attrs
import httpx
import psutil
import pytest

from benchmarks.crowd import Crowd, Summary, serving
from benchmarks.proxies import ROOT, free_port
from llmstep.catalog.store import STARTER_DIR
from llmstep.engine.remote.llmstep import LlmstepEngine
from llmstep.settings import RemoteSettings, Settings
from llmstep.types import Goal, PromptInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PYTHONS = os.environ.get("LLMSTEP_TEST_DEPLOY", "")
"""Folder of the two environments that `make test-deploy` makes."""
pytestmark = [pytest.mark.skipif(not PYTHONS, reason="make test-deploy runs it"), pytest.mark.timeout(1800)]

GOAL = "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"


@contextlib.asynccontextmanager
async def ray_serve(folder: Path, environment: str, config: str, port: int, **variables: str) -> AsyncIterator[str]:
    """Ray Serve with a configuration of `deploy/ray`, from when all its replicas are ready; its address."""
    (folder / "serve.yaml").write_text(config)
    own = {
        "HOME": str(folder),  # the token that Ray makes for its own processes
        "PYTHONPATH": str(ROOT / "deploy/ray"),
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_OVERRIDE_RESOURCES": '{"CPU": 8}',  # by its own count; there may be fewer
        "RAY_SERVE_SESSION_ID_HEADER_KEY": "x-llmstep-client",
        "PATH": f"{PYTHONS}/{environment}/bin:{os.environ['PATH']}",
        **variables,
    }
    with (folder / "log").open("wb") as log:
        program = f"{PYTHONS}/{environment}/bin/python"
        words = [program, "-m", "ray.serve.scripts", "run", str(folder / "serve.yaml")]
        running = await asyncio.create_subprocess_exec(*words, env={**os.environ, **own}, stdout=log, stderr=log)
    started = time.monotonic()
    try:
        while True:
            asking = [program, "-m", "ray.serve.scripts", "status"]
            status = await asyncio.create_subprocess_exec(
                *asking, env={**os.environ, **own}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
            told = (await status.communicate())[0].decode()
            if "status: RUNNING\n    message: ''" in told:
                break
            assert "FAILED" not in told, told
            assert running.returncode is None, (folder / "log").read_text()[-5000:]
            assert time.monotonic() < started + 900, told + (folder / "log").read_text()[-5000:]
            await asyncio.sleep(3)
        print(f"{environment} on Ray Serve is ready after {time.monotonic() - started:.0f} s")
        yield f"http://127.0.0.1:{port}"
    finally:
        children = psutil.Process(running.pid).children(recursive=True)
        running.send_signal(signal.SIGINT)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(running.wait(), 60)
        _, left = psutil.wait_procs(children, 20)
        for each in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def configuration(name: str, changes: dict[str, str]) -> str:
    """A file of `deploy/ray` with some of its words replaced."""
    text = (ROOT / "deploy/ray" / name).read_text()
    for known, new in changes.items():
        assert known in text, known
        text = text.replace(known, new)
    return text


async def replicas(url: str, number: int, seconds: float = 60) -> set[int]:
    """The process ids of the replicas, once there are so many."""
    until, found = time.monotonic() + seconds, set[int]()
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
        while time.monotonic() < until:
            found = set()
            for client in range(24):
                answer = await http.get("/health", headers={"X-Llmstep-Client": f"c{client}"})
                if answer.status_code == 200:
                    found.add(answer.json()["pid"])
            if len(found) == number:
                return found
            await asyncio.sleep(0.5)
    raise AssertionError(f"{found} are not {number} replicas")


@attrs.define
class Asked:
    """What llmstep's own clients got."""

    answered: int = 0
    failures: list[str] = attrs.field(factory=list)


async def own_clients(url: str, number: int, seconds: float) -> Asked:
    """So many engines of llmstep that ask for new goals again and again."""
    asked = Asked()
    until = time.monotonic() + seconds

    async def one(name: int) -> None:
        engine = LlmstepEngine(Settings(engine="llmstep", remote=RemoteSettings(url=url)))
        turn = 0
        while time.monotonic() < until:
            turn += 1
            try:
                made = await engine.generate(PromptInput(Goal(f"n{name}x{turn} : Nat\n{GOAL}")))
                assert made.candidates
                asked.answered += 1
            except Exception as error:
                asked.failures.append(repr(error))
        await engine.close()

    await asyncio.gather(*(one(name) for name in range(number)))
    return asked


async def test_llmstep_on_two_replicas(tmp_path: Path) -> None:
    port = free_port()
    changes = {
        "port: 6000": f"port: {port}",
        "model: auto": "model: starter",
        "min_replicas: 1, max_replicas: 4": "min_replicas: 2, max_replicas: 2",
        "num_cpus: 2": "num_cpus: 1",
    }
    config = configuration("llmstep.yaml", changes)
    async with ray_serve(tmp_path, "llmstep", config, port) as url:
        before = await replicas(url, 2)
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
            answer = (await http.post("/", json={"tactic_state": GOAL})).json()
            assert "exact ⟨hp, hq⟩" in answer["suggestions"]
            assert (await http.get("/ready")).json() == {"ready": True, "model": "starter"}
            lines = (await http.post("/candidates", json={"goal": GOAL, "prefix": ""})).text.splitlines()
            assert "generation" in json.loads(lines[-1])
            for _ in range(3):
                mine = {(await http.get("/health", headers={"X-Llmstep-Client": "me"})).json()["pid"] for _ in "abc"}
                assert len(mine) == 1
            wrong = await http.post("/", json={"tactic_state": GOAL}, headers={"Origin": "https://evil.example"})
            assert wrong.status_code == 403

        async def kill(after: float) -> None:
            await asyncio.sleep(after)
            os.kill(min(await replicas(url, 2)), signal.SIGKILL)

        hasty, patient = Crowd(url), Crowd(url, patient=True)
        asked, *_ = await asyncio.gather(
            own_clients(url, 4, 20), hasty.closed(8, 0.02, 20, "hasty"), patient.closed(4, 0.02, 20, "patient"), kill(5)
        )
        print("asked once:", Summary.of(hasty.got))
        print("made again as advised:", Summary.of(patient.got), Counter(each.tries for each in patient.got))
        print(f"llmstep's own clients: {asked.answered} answered, {len(asked.failures)} lost")
        lost = [each for each in hasty.got if each.status != 200]
        assert len(lost) <= 8  # no more than a person has under way
        assert {each.status for each in patient.got} == {200}
        assert asked.failures == []
        after = await replicas(url, 2)
        assert len(before & after) == 1  # Ray has started another one


async def test_vllm_on_two_replicas_behind_llmstep(tmp_path: Path) -> None:
    port = free_port()
    changes = {
        "port: 8000": f"port: {port}",
        "ByteDance-Seed/BFS-Prover-V2-7B": str(STARTER_DIR),
        "model_id: bfs-prover-v2-7b": "model_id: starter",
        "min_replicas: 1, max_replicas: 4": "min_replicas: 2, max_replicas: 2",
        "{max_model_len: 2048}": "{max_model_len: 2048, enforce_eager: true}",  # nothing is compiled
        "placement_group_config: null": "placement_group_config: {bundles: [{CPU: 1}]}",
    }
    config = configuration("vllm.yaml", changes)
    variables = {"VLLM_CPU_KVCACHE_SPACE": "1", "RAY_SERVE_SESSION_ID_HEADER_KEY": "x-session-id"}
    async with ray_serve(tmp_path, "vllm", config, port, **variables) as behind:
        command = ["llmstep", "serve", "--port", "0", "--engine", "openai", "--at-once", "8", "--template", "starter"]
        async with serving(*command, "--remote-url", f"{behind}/v1", "--remote-model", "starter") as url:
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=120) as http:
                answer = (await http.post("/", json={"tactic_state": GOAL})).json()
                assert "exact ⟨hp, hq⟩" in answer["suggestions"], answer

            async def kill(after: float) -> None:
                await asyncio.sleep(after)
                engines = vllm_replicas()
                assert len(engines) == 2, engines
                engines[0].kill()

            crowd = Crowd(url)
            await asyncio.gather(crowd.closed(8, 0.2, 40), kill(10))
            print("through llmstep, asked once:", Summary.of(crowd.got))
            assert {each.status for each in crowd.got} == {200}


def vllm_replicas() -> list[psutil.Process]:
    """The replicas of vLLM, as the system shows them."""
    found = []
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "ServeReplica" in " ".join(each.cmdline()) and "LLMServer" in " ".join(each.cmdline()):
                found.append(each)
    return found
