"""The short form of `make soak`: the fuzzer of the language server, and some of the faults."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lsp"))

import faults
from lsp_fuzz import fuzz


def test_100_000_wrong_messages() -> None:
    """Each request is answered once, by a sentence of the protocol's codes; the fuzzer itself looks at that."""
    outcomes = asyncio.run(fuzz(100_000, 1))
    assert outcomes["-32602"] > 10_000
    assert outcomes["done"] > 1_000


@pytest.mark.lean
@pytest.mark.parametrize(
    "word", ["SIGKILL", "weights are cut", "settings", "resets the connection", "port is taken", "1000 requests"]
)
async def test_faults_that_are_overcome(lean: Path, word: str) -> None:
    found = await faults.main(str(lean), word)
    assert found
    for each in found:
        assert each.told
        assert each.seconds is not None, each
