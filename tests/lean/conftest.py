"""Fixtures of the tests that talk to Lean."""

from __future__ import annotations

import gc
import logging
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from fake_lake import FakeLake

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
