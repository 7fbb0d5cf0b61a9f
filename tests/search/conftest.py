"""A prover on the real Lean, and a judge that knows nothing of it: `lean` run on the whole file."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from llmstep.engine.engine import Engine
from llmstep.lean.workspace import LeanWorkspace
from llmstep.search.prover import Prover
from llmstep.settings import LeanSettings, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def settings(lean_command: tuple[str, ...]) -> Settings:
    return Settings(model="starter", device="cpu", lean=LeanSettings(command=lean_command))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def workspace(settings: Settings) -> AsyncIterator[LeanWorkspace]:
    made = LeanWorkspace(settings)
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def prover(settings: Settings, workspace: LeanWorkspace) -> AsyncIterator[Prover]:
    engine = Engine(settings)
    yield Prover(engine, workspace)
    await engine.close()


@pytest.fixture
def complaints(lean: Path, tmp_path: Path) -> Callable[[str], list[str]]:
    """The errors that Lean has in a file with this text, and its warnings of `sorry`."""

    def run(text: str) -> list[str]:
        file = tmp_path / "Judged.lean"
        file.write_bytes(text.encode("utf-8"))
        done = subprocess.run([lean, "--json", file], capture_output=True, text=True, check=False)
        messages = [json.loads(line) for line in done.stdout.splitlines()]
        return [each["data"] for each in messages if each["severity"] == "error" or "sorry" in each["data"]]

    return run
