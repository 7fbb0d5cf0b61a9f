"""Which model is recommended for a machine, and which files are known: one rule, and tables that fit the catalog."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from llmstep.catalog.models import CATALOG, STARTER
from llmstep.catalog.recommended import PREFERENCE, Hardware, fits, recommended, ways
from llmstep.catalog.registry import find_record

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
GB = 10**9


@pytest.mark.parametrize(
    ("device", "memory", "llama_cpp", "name", "engine"),
    [
        ("cpu", 0.3, False, "starter", "inProcess"),
        ("cpu", 8, False, "byt5-small", "inProcess"),
        ("cpu", 64, True, "byt5-small", "inProcess"),  # larger ones fit, but are slow
        ("mps", 6, False, "ntp-context-1.3b", "inProcess"),
        ("mps", 6, True, "ntp-context-1.3b", "inProcess"),
        ("mps", 12, True, "bfs-prover-v2-7b", "llama.cpp"),
        ("cuda", 8, True, "ntp-context-1.3b", "inProcess"),
        ("cuda", 24, False, "bfs-prover-v2-7b", "inProcess"),
        ("cuda", 2, False, "byt5-small", "inProcess"),
    ],
)
def test_the_model_for_a_machine(device: Any, memory: float, llama_cpp: bool, name: str, engine: str) -> None:
    hardware = Hardware(device, int(memory * GB), llama_cpp)
    found = recommended(hardware)
    assert (found.record.name, found.engine) == (name, engine)
    assert found.needed_bytes <= memory * GB
    assert fits(found.record, hardware)


def test_a_model_that_does_not_fit_its_weights_may_fit_as_a_file() -> None:
    record = find_record("bfs-prover-v2-7b")
    assert record is not None
    assert fits(record, Hardware("cpu", 7 * GB)) is False
    assert fits(record, Hardware("cpu", 7 * GB, llama_cpp=True)) is True
    assert fits(record, Hardware("cpu", None)) is None
    first, second = ways(record, Hardware("cpu", 7 * GB, llama_cpp=True))
    assert (first.engine, second.engine) == ("llama.cpp", "inProcess")
    assert not first.suits  # it fits, and is too slow for an editor


def test_code_of_a_models_own_is_not_recommended() -> None:
    everything = Hardware("cuda", 10**15)
    assert not recommended(everything).record.trust_remote_code
    assert recommended(Hardware("cpu", 0)).record is STARTER
    assert len(PREFERENCE) == 8


def test_files_have_names_of_the_hub_and_sizes_of_four_to_eight_bits() -> None:
    for record in CATALOG:
        file = record.gguf
        if file is not None:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+-GGUF/[\w.-]+\.gguf", file.path)
            assert record.parameters is not None
            assert 4 < 8 * file.size / record.parameters < 9


def test_the_page_names_every_model_and_every_file() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for record in CATALOG:
        assert f"`{record.name}`" in page
        assert record.gguf is None or record.gguf.path in page
