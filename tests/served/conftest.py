"""The starter as a GGUF file, and engines that are closed after the test."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from gguf_models import starter_gguf
from processes import words

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


_earlier: set[int] = set()


@pytest.fixture(autouse=True)
def _guards_of_this_test() -> None:
    """Servers that a benchmark has compared with run until the process of the tests ends; they do not count."""
    _earlier.clear()
    _earlier.update(each.pid for each in guards())


def guards() -> list[psutil.Process]:
    """The processes that guard the servers of this test's models, which are below them."""
    children = [each for each in psutil.Process().children() if each.pid not in _earlier]
    return [each for each in children if any("served.guard" in word for word in words(each))]
