"""The number format in which a CPU is fastest, measured once and remembered.

What decoding does most is a product of a few rows with a weight that no cache holds: that is what is timed, in each
format that this processor and this torch have.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import torch
from torch.nn import functional

from llmstep.engine.linear import Weight, plain
from llmstep.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from llmstep.engine.linear import Linear

_log = logging.getLogger(__name__)

_SIZE = 2048
_WEIGHTS = 8
"""Different weights that follow each other, 128 MB in float32, so that caches are of no use."""
_ROWS = 10
_ROUNDS = 5
_GAIN = 1.1
"""How much faster a format with fewer bits has to be."""

MAKERS: dict[str, Callable[[torch.Tensor], Linear]] = {
    "float32": lambda matrix: plain(Weight(matrix)),
    "bfloat16": lambda matrix: _half(matrix.bfloat16()),
}
"""Makes the product with a weight, by format; the most exact one first."""


def fastest(formats: Collection[str] = tuple(MAKERS)) -> str:
    """The fastest of some formats here.

    The times are measured at the first call on a machine, which takes a second or two, and read from the user's cache
    later.
    """
    times = _remembered()
    if times is None:
        times = measure()
        _remember(times)
        _log.info("llmstep: seconds for ten rows: %s", times)
    best = "float32"
    for name in MAKERS:
        if name in formats and name in times and times[name] * _GAIN < times[best]:
            best = name
    return best


def measure() -> dict[str, float]:
    """Seconds for ten rows times one weight of 2048 x 2048, in each format; a format that is not here is missing."""
    draw = torch.Generator().manual_seed(1)
    matrices = [torch.randn(_SIZE, _SIZE, generator=draw) for _ in range(_WEIGHTS)]
    x = torch.randn(_ROWS, _SIZE, generator=draw)
    products: dict[str, list[Linear]] = {}
    for name, make in MAKERS.items():
        with contextlib.suppress(NotImplementedError, RuntimeError):
            products[name] = [make(matrix) for matrix in matrices]
            products[name][0](x)
    times: dict[str, list[float]] = {name: [] for name in products}
    with torch.inference_mode():
        for _ in range(_ROUNDS):
            for name, weights in products.items():
                started = time.perf_counter()
                for product in weights:
                    product(x)
                times[name].append((time.perf_counter() - started) / _WEIGHTS)
    return {name: statistics.median(each) for name, each in times.items()}


def _half(matrix: torch.Tensor) -> Linear:
    return lambda x: functional.linear(x.bfloat16(), matrix).float()


def _file() -> Path:
    return Path(platformdirs.user_cache_path("llmstep")) / "formats.json"


def _machine() -> str:
    """What the times depend on."""
    names = [platform.processor(), platform.machine()]
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names += [line.partition(":")[2].strip() for line in lines if line.startswith("model name")][:1]
    return " ".join([*names, str(os.cpu_count()), torch.backends.cpu.get_cpu_capability(), torch.__version__])


def _remembered() -> dict[str, float] | None:
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        times: Any = json.loads(_file().read_text("utf-8"))[_machine()]
        return {"float32": float(times["float32"]), **{name: float(value) for name, value in times.items()}}
    return None


def _remember(times: dict[str, float]) -> None:
    with contextlib.suppress(OSError), whole_file(_file()) as part:  # else it is measured again
        part.write_text(json.dumps({_machine(): times}, indent=1), encoding="utf-8")
