"""An OpenAI-compatible server for faults and oddities; good answers are tested on a real one too."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from fake_openai import MODEL, FakeServer, error

from llmstep.engine.remote import connection
from llmstep.engine.remote.openai import OpenAiEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmstep.settings import Settings

__all__ = ["MODEL", "FakeServer", "error"]


@pytest.fixture(autouse=True)
def _quick_and_without_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.001)
    monkeypatch.delenv("LLMSTEP_API_KEY", raising=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _fake() -> AsyncIterator[FakeServer]:
    made = FakeServer()
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def fake(_fake: FakeServer) -> FakeServer:
    """The module's server, as new."""
    _fake.reset()
    return _fake


@asynccontextmanager
async def engine_for(settings: Settings) -> AsyncIterator[OpenAiEngine]:
    engine = OpenAiEngine(settings)
    try:
        yield engine
    finally:
        await engine.close()
