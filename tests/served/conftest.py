"""The starter as a GGUF file, and engines that are closed after the test."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from gguf_models import starter_gguf

from llmstep.engine.router import EngineRouter
from llmstep.settings import RemoteSettings, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(scope="session")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return starter_gguf(tmp_path_factory.mktemp("gguf") / "starter.gguf")


@asynccontextmanager
async def engine_for(model: object, command: tuple[str, ...] = (), **settings: Any) -> AsyncIterator[EngineRouter]:
    remote = RemoteSettings(command=command, url=settings.pop("url", ""))
    made = EngineRouter(Settings(**{"model": str(model), "template": "starter", "remote": remote, **settings}))
    try:
        yield made
    finally:
        await made.close()


def guards() -> list[psutil.Process]:
    """The processes of ours that guard the model's servers, which are below them."""
    return [each for each in psutil.Process().children() if any("served.guard" in word for word in each.cmdline())]
