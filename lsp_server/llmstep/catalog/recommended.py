"""Which model suits a machine: the one rule of `auto`, of what llmstep recommends, and of the docs.

A model suits a machine when its weights fit the free memory, in the format that is taken there, and when it is small
enough for the device to answer at the speed of an editor. Where llama.cpp is installed and there is no CUDA device, the
weights are those of its GGUF file if one is published. Of the models that suit, the first of `PREFERENCE` is best.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import attrs

from llmstep.catalog.memory import needed_bytes, weight_bytes
from llmstep.catalog.models import STARTER, ModelRecord, find_in_catalog

AUTO_PARAMETERS: Final = {"cpu": 500_000_000, "mps": 4_000_000_000, "cuda": 8_000_000_000}
"""Largest model for a device in this process: larger ones may fit, but answer too slowly for an editor."""

FILE_PARAMETERS: Final = {"cpu": 500_000_000, "mps": 8_000_000_000, "cuda": 8_000_000_000}
"""The same in llama.cpp, which reads about a third of the bytes."""

PREFERENCE: Final = tuple(
    record
    for name in (
        "bfs-prover-v2-7b",
        "bfs-prover-v1-7b",
        "internlm2.5-step-prover",
        "internlm2-step-prover",
        "ntp-context-1.3b",
        "ntp-state-1.3b",
        "llmstep-pythia-2.8b",
        "byt5-small",
    )
    if (record := find_in_catalog(name)) is not None
)
"""Models made for single steps, best first: by reported score; context before none."""


@attrs.frozen
class Hardware:
    """What the model would run on."""

    device: Literal["cpu", "cuda", "mps"] = "cpu"
    memory_bytes: int | None = None
    """Memory that is free for a model on that device; None when it is not known, and no limit is applied."""
    llama_cpp: bool = False
    """Whether llama.cpp's server is installed."""


@attrs.frozen
class Way:
    """How a model would be run on a machine."""

    record: ModelRecord
    engine: Literal["inProcess", "llama.cpp"]
    needed_bytes: int
    """Memory that has to be free."""
    download_bytes: int
    """Of its weights, about; 0 for the model in the package."""
    fits: bool | None
    """None where the free memory is not known."""
    fast: bool
    """It is small enough for the device to answer at the speed of an editor."""

    @property
    def suits(self) -> bool:
        return self.fast and self.fits is not False


def ways(record: ModelRecord, hardware: Hardware, dtype: str = "auto") -> list[Way]:
    """The ways to run a model on a machine, that which is taken first; none where its size is not known.

    Args:
        dtype: As in the settings; for the weights in this process.
    """
    parameters, device = record.parameters, hardware.device
    if record.bundled:
        return [Way(record, "inProcess", 0, 0, True, True)]
    if parameters is None:
        return []

    def way(engine: Literal["inProcess", "llama.cpp"], weights: int, download: int, largest: Mapping[str, int]) -> Way:
        needed = needed_bytes(weights)
        fits = None if hardware.memory_bytes is None else needed <= hardware.memory_bytes
        return Way(record, engine, needed, download, fits, parameters <= largest[device])

    weights = weight_bytes(parameters, device, dtype, record.dtype)
    own = way("inProcess", weights, record.size_bytes or weights, AUTO_PARAMETERS)
    if record.gguf is None or not hardware.llama_cpp or device == "cuda":
        return [own]
    served = way("llama.cpp", record.gguf.size, record.gguf.size, FILE_PARAMETERS)
    return [own, served] if own.suits else [served, own]


def recommended(hardware: Hardware) -> Way:
    """The best model of the catalog for a machine, on it or not, and how to run it; the starter where no other suits.

    One that brings Python code of its own is not recommended.
    """
    return next(
        way
        for record in (*PREFERENCE, STARTER)
        for way in ways(record, hardware)
        if way.suits and not (record.trust_remote_code and way.engine == "inProcess")
    )


def fits(record: ModelRecord, hardware: Hardware) -> bool | None:
    """Whether a model fits the free memory in some way; None where its size or the memory is not known."""
    found = [way.fits for way in ways(record, hardware)]
    return True if True in found else False if False in found else None
