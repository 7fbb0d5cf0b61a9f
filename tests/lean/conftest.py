"""Fixtures of the tests that talk to Lean."""

from __future__ import annotations

import gc
import logging
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from fake_lake import FakeLake

from llmstep.lean.server import LeanServer
from llmstep.lean.workspace import LeanWorkspace

from .lake_places import DEP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from llmstep.settings import Settings


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing goes wrong unseen: no exception that nobody looks at, no answer that nobody waits for.

    asyncio's warnings only say that the machine is slow.
    """
    yield
    gc.collect()
    records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    assert [
        record.getMessage()
        for record in records
        if record.levelno >= (logging.ERROR if record.name == "asyncio" else logging.WARNING)
    ] == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(lean_command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LeanServer]:
    """A Lean server for the tests of a file that has none of its own."""
    server = LeanServer(lean_command, tmp_path_factory.mktemp("project"), timeout=60)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def uri(server: LeanServer, request: pytest.FixtureRequest) -> str:
    """A document of the test's own."""
    name = "".join(c if c.isalnum() else "_" for c in request.node.name)
    return (server.root / f"{name[:60]}{abs(hash(request.node.name)) % 10000}.lean").as_uri()


@pytest.fixture
def lake(tmp_path: Path, lean: Path) -> FakeLake:
    made = FakeLake(tmp_path, lean)
    made.source("Dep", DEP.format("old_name"))
    return made


@pytest_asyncio.fixture
async def workspace_of(lake: FakeLake) -> AsyncIterator[Callable[[Settings], LeanWorkspace]]:
    made: list[LeanWorkspace] = []

    def of(settings: Settings) -> LeanWorkspace:
        made.append(LeanWorkspace(settings))
        return made[-1]

    yield of
    for each in made:
        await each.close()
