"""Fixtures of the tests that talk to Lean."""

from __future__ import annotations

import gc
import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


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
