"""A prover on the real Lean, and a judge that knows nothing of it: `lean` run on the whole file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from llmstep.engine.engine import Engine
from llmstep.lean.workspace import LeanWorkspace
from llmstep.search.prover import StepProver
from llmstep.settings import LeanSettings, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(scope="session")
def settings(lean_command: tuple[str, ...]) -> Settings:
    return Settings(model="starter", device="cpu", lean=LeanSettings(command=lean_command))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def workspace(settings: Settings) -> AsyncIterator[LeanWorkspace]:
    made = LeanWorkspace(settings)
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def prover(settings: Settings, workspace: LeanWorkspace) -> AsyncIterator[StepProver]:
    engine = Engine(settings)
    yield StepProver(engine, workspace)
    await engine.close()
