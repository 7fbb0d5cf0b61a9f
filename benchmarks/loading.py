"""How long a packed model takes to be in memory, and how much memory that needs, in processes of their own."""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.processes import run_python

if TYPE_CHECKING:
    from collections.abc import Callable

_PROMPT = 200
_SAMPLES, _NEW_TOKENS = 10, 32


@attrs.frozen
class LoadCost:
    """Medians over processes; seconds by the clock."""

    model: str
    rounds: int
    file_bytes: int
    """Size of the packed file."""
    first_seconds: float
    """The first load, from the original."""
    first_bytes: int
    """Most memory that the process held by the end of it."""
    import_seconds: float
    """Importing numba and the compiled code."""
    load_seconds: float
    """From the packed file to a model that can be asked."""
    loaded_bytes: int
    """Most memory that the process had held by then."""
    answer_seconds: float
    """The first request: 10 samples of 32 tokens for a prompt of 200."""
    peak_bytes: int
    """Most memory that the process held in the end."""
    torch: bool
    """Whether torch was imported."""


def load_cost(model: str, rounds: int, tell: Callable[[str], None] = lambda _: None) -> LoadCost:
    """Load a model in eight bits in one process after the other.

    Args:
        model: A model, or the shape of one, which is packed first.
        rounds: Processes.

    Raises:
        LlmstepError: A process failed.
    """
    with tempfile.TemporaryDirectory(prefix="llmstep-bench-") as folder:
        first = _child("pack", folder, model)
        size = sum(path.stat().st_size for path in (Path(folder) / "packed").iterdir())
        tell(
            f"packed: {size / 1e6:.0f} MB in {first['load_seconds']:.1f} s,"
            f" at most {first['loaded_bytes'] / 1e9:.2f} GB"
        )
        seen: list[dict[str, Any]] = []
        for number in range(rounds):
            seen.append(_child("load", folder, model))
            tell(f"[{number + 1}/{rounds}] {seen[-1]['load_seconds']:.2f} s")

    def median(name: str) -> float:
        return round(float(statistics.median(each[name] for each in seen)), 3)

    return LoadCost(
        model=model,
        rounds=rounds,
        file_bytes=size,
        first_seconds=round(first["load_seconds"], 3),
        first_bytes=first["loaded_bytes"],
        import_seconds=median("import_seconds"),
        load_seconds=median("load_seconds"),
        loaded_bytes=int(median("loaded_bytes")),
        answer_seconds=median("answer_seconds"),
        peak_bytes=int(median("peak_bytes")),
        torch=any(each["torch"] for each in seen),
    )


def _child(work: str, folder: str, model: str) -> dict[str, Any]:
    printed = run_python(["-m", "benchmarks.loading", work, folder, model])
    told: dict[str, Any] = json.loads(printed or "{}")
    return told


def _folder(place: Path, model: str) -> Path:
    """The folder of a model; one of a shape is written first, in a process of its own."""
    from llmstep.catalog.store import cache_path
    from llmstep.errors import ModelNotFoundError

    if model.endswith("-shape"):
        if not place.is_dir():
            place.mkdir()
            run_python(["-m", "llmstep.bench.shapes", model, str(place)])
        return place
    found = cache_path(model)
    if found is None:
        raise ModelNotFoundError(f"The model {model} is not on this machine.", hint="Name one that is, or a shape.")
    return found


def _load(place: Path, model: str) -> dict[str, Any]:
    folder = _folder(place / "original", model)
    started = time.perf_counter()
    from llmstep.bench.hardware import peak_bytes
    from llmstep.decoder import SamplingParams, load, prepare
    from llmstep.engine.device import cpu_threads

    prepare()
    imported = time.perf_counter()
    loaded = load(folder, quantization="int8", cache=place / "packed", threads=cpu_threads(0, 1 << 30))
    ready, held = time.perf_counter(), peak_bytes()
    draw = random.Random(1)
    prompt = [draw.randrange(3, 256) for _ in range(_PROMPT)]
    endless = SamplingParams(temperature=0.5, max_tokens=_NEW_TOKENS, end_ids=frozenset())
    loaded.sample(prompt, _SAMPLES, endless)
    return {
        "import_seconds": imported - started,
        "load_seconds": ready - imported,
        "loaded_bytes": held,
        "answer_seconds": time.perf_counter() - ready,
        "peak_bytes": peak_bytes(),
        "torch": "torch" in sys.modules,
    }


if __name__ == "__main__":
    _, place, model = sys.argv[1:]
    sys.stdout.write(json.dumps(_load(Path(place), model)))
