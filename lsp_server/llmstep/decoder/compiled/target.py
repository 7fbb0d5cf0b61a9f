"""What the code is compiled for: the processor's registers, and its instructions for products of bytes."""

from __future__ import annotations

import functools
import os
import platform
from dataclasses import dataclass

import llvmlite.binding as llvm
from numba import config

from llmstep.decoder.interface import UnsupportedError

OVERRIDE = "LLMSTEP_DECODER_TARGET"
"""Names a target that is to be taken instead of the best one, which is what tests do."""


@dataclass(frozen=True)
class Target:
    """A way of multiplying.

    Tiles of so many rows times so many registers of outputs are chosen so that all sums stay in registers.
    """

    name: str
    bits: int
    """Of a register."""
    bytes_tile: tuple[int, int]
    """Most rows, and registers of outputs, of a tile with weights in eight bits."""
    nibbles_rows: int
    """Most rows of a tile with weights in four bits; for more of them these become eight bits before."""
    floats_tile: tuple[int, int]
    needs: frozenset[str]
    """Instructions."""

    @property
    def lanes(self) -> int:
        """Numbers of 32 bits in a register."""
        return self.bits // 32


TARGETS = (
    Target("avx512-vnni", 512, (12, 2), 10, (12, 2), frozenset({"avx512vnni", "avx512bw", "avx512vl"})),
    Target("avx-vnni", 256, (6, 2), 3, (6, 2), frozenset({"avxvnni", "avx2", "fma"})),
    Target("avx2", 256, (10, 1), 2, (6, 2), frozenset({"avx2", "fma"})),
    Target("neon-dot", 128, (6, 4), 3, (6, 4), frozenset({"neon", "dotprod"})),
    Target("plain", 128, (4, 1), 1, (6, 2), frozenset()),
)
"""The best one first."""


def features() -> frozenset[str]:
    """Instructions that code is compiled for: those of the processor, or those that numba is set to use."""
    if config.CPU_NAME or config.CPU_FEATURES is not None:
        wanted = (config.CPU_FEATURES or "").split(",")
        return frozenset(each.strip()[1:] for each in wanted if each.strip().startswith("+"))
    try:
        found = {name for name, there in llvm.get_host_cpu_features().items() if there}
    except RuntimeError:  # not every system says it
        found = set()
    if llvm.get_host_cpu_name().startswith("apple-"):
        found |= {"neon", "dotprod"}  # as all of them have; LLVM knows it by the processor's name
    return frozenset(found)


@functools.cache
def target() -> Target:
    """The best target that this processor has.

    Raises:
        UnsupportedError: The environment names one that it does not have.
    """
    there = features()
    named = os.environ.get(OVERRIDE)
    for each in TARGETS:
        narrow = each.name == "avx-vnni" and {"avx512vnni", "avx512vl"} <= there  # the same instruction, 256 bits wide
        if (named or each.name) == each.name and (each.needs <= there or (bool(named) and narrow)):
            return each
    raise UnsupportedError(
        f"The environment variable {OVERRIDE} is {named}, which this processor does not have.",
        f"Unset it, or name one of {', '.join(each.name for each in TARGETS if each.needs <= there)}.",
    )


def has_halves() -> bool:
    """Whether there are instructions that turn numbers of 16 bits into those of 32."""
    arm = platform.machine().lower() in ("arm64", "aarch64")
    return arm or ("f16c" in features() and "avx" in features())
