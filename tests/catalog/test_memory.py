"""One rule for the memory of a model, whoever asks: `auto`, the loader, the picker."""

from __future__ import annotations

import pytest

from llmstep.catalog.memory import needed_bytes, weight_bytes
from llmstep.catalog.models import CATALOG, STARTER
from llmstep.catalog.registry import find_record


@pytest.mark.parametrize(
    ("name", "device", "gigabytes"),
    [
        ("llmstep-pythia-2.8b", "cpu", 3.64),  # 3.7 were measured
        ("llmstep-pythia-2.8b", "cuda", 7.28),
        ("byt5-small", "cpu", 0.39),
        ("bfs-prover-v2-7b", "mps", 19.76),
    ],
)
def test_what_a_model_of_the_catalog_needs(name: str, device: str, gigabytes: float) -> None:
    record = find_record(name)
    assert record is not None
    assert record.needed_bytes(device) == pytest.approx(gigabytes * 1e9)


def test_formats_that_are_asked_for() -> None:
    assert [weight_bytes(10**9, "cpu", dtype) for dtype in ("float32", "bfloat16", "int8")] == [4e9, 2e9, 1e9]
    assert weight_bytes(10**9, "cpu", "int4") < weight_bytes(10**9, "cpu", "int8") == weight_bytes(10**9, "cpu")
    assert weight_bytes(10**6, "cpu") == 4e6
    assert needed_bytes(10**9) > 10**9


def test_the_starter_runs_anywhere() -> None:
    assert STARTER.needed_bytes("cpu") is None
    assert all(record.needed_bytes("cpu") for record in CATALOG if record is not STARTER)
