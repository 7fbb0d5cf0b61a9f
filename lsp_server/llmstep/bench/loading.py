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

from llmstep.bench.processes import run_python

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
    import_seconds: float
    """Importing torch."""
    load_seconds: float
    """From the packed file to a model that can be asked."""
    loaded_bytes: int
    """Most memory that the process had held by then."""
    answer_seconds: float
    """The first request: 10 samples of 32 tokens for a prompt of 200."""
    peak_bytes: int
    """Most memory that the process held in the end."""
    transformers: bool
    """Whether transformers was imported."""


def load_cost(model: str, rounds: int, tell: Callable[[str], None] = lambda _: None) -> LoadCost:
    """Load a model in eight bits in one process after the other.

    Args:
        model: A model, or the shape of one, which is packed first.
        rounds: Processes.

    Raises:
        LlmstepError: A process failed.
    """
    with tempfile.TemporaryDirectory(prefix="llmstep-bench-") as folder:
        path = Path(folder) / "packed.safetensors"
        _child("pack", path, model)
        tell(f"packed: {path.stat().st_size / 1e6:.0f} MB")
        seen: list[dict[str, Any]] = []
        for number in range(rounds):
            seen.append(_child("load", path, model))
            tell(f"[{number + 1}/{rounds}] {seen[-1]['load_seconds']:.2f} s")
        size = path.stat().st_size

    def median(name: str) -> float:
        return round(float(statistics.median(each[name] for each in seen)), 3)

    return LoadCost(
        model=model,
        rounds=rounds,
        file_bytes=size,
        import_seconds=median("import_seconds"),
        load_seconds=median("load_seconds"),
        loaded_bytes=int(median("loaded_bytes")),
        answer_seconds=median("answer_seconds"),
        peak_bytes=int(median("peak_bytes")),
        transformers=any(each["transformers"] for each in seen),
    )


def _child(work: str, path: Path, model: str) -> dict[str, Any]:
    printed = run_python(["-m", "llmstep.bench.loading", work, str(path), model])
    told: dict[str, Any] = json.loads(printed or "{}")
    return told


def _pack(path: Path, model: str) -> None:
    from llmstep.bench.runtime_model import subject
    from llmstep.engine import packed
    from llmstep.settings import Settings

    packed.pack(subject(attrs.evolve(Settings(), model=model, dtype="float32")).loaded, path)


def _load(path: Path, model: str) -> dict[str, Any]:
    started = time.perf_counter()
    import torch

    imported = time.perf_counter()
    from llmstep.bench.hardware import peak_bytes
    from llmstep.engine import packed
    from llmstep.engine.decode import decode
    from llmstep.engine.device import Placement, cpu_threads
    from llmstep.engine.prompt import EncodedPrompt
    from llmstep.types import Sampling

    torch.set_num_threads(cpu_threads(0, 1 << 30))
    loaded = packed.load(packed.plan_of(path, model, Placement("cpu", "int8")))
    ready, held = time.perf_counter(), peak_bytes()
    draw = random.Random(1)
    prompt = EncodedPrompt([draw.randrange(3, 256) for _ in range(_PROMPT)], [])
    endless = attrs.evolve(loaded, end_ids=frozenset())
    decode(endless, prompt, Sampling(_SAMPLES, 0.5, 1.0, _NEW_TOKENS))
    return {
        "import_seconds": imported - started,
        "load_seconds": ready - imported,
        "loaded_bytes": held,
        "answer_seconds": time.perf_counter() - ready,
        "peak_bytes": peak_bytes(),
        "transformers": "transformers" in sys.modules,
    }


if __name__ == "__main__":
    work, path, model = sys.argv[1:]
    if work == "pack":
        _pack(Path(path), model)
    else:
        sys.stdout.write(json.dumps(_load(Path(path), model)))
