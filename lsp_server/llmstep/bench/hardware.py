"""What this machine has, and what it can do, measured: memory bandwidth and products; what that means for a request."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import psutil

_ROUNDS = 7


def synchronize(device: str) -> None:
    """Wait until a CUDA device has done all that the host has started; others have."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def peak_bytes(device: str = "cpu") -> int:
    """Most memory so far: that of tensors on all CUDA devices, or the resident one of this process.

    Where the system does not say the most, the present one.
    """
    if device.startswith("cuda"):
        import torch

        return sum(map(torch.cuda.max_memory_allocated, range(torch.cuda.device_count())))
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        return int(psutil.Process().memory_info().rss)


@attrs.frozen
class Speeds:
    """Best of a few rounds, in the decoder's own products."""

    bytes_per_second: float
    """Reading memory that no cache holds."""
    operations_per_second: float
    """Multiplications and additions in a large product of the format."""

    @classmethod
    def measure(cls, dtype: str, threads: int = 1) -> Speeds:
        """
        Args:
            dtype: `float32`, `int8` or `int4`.
        """
        import numpy as np

        from llmstep.decoder.compiled.machine import Product
        from llmstep.decoder.compiled.ready import ready
        from llmstep.decoder.weights import Kind, Weight

        ready()
        kind: Kind = "int8" if dtype == "int8" else "int4" if dtype == "int4" else "float32"
        long = Weight.empty("int8", 1 << 14, 1 << 14)  # 256 MB
        long.matrix.fill(128)
        one, read = np.ones((1, long.inputs), np.float32), Product(long, 1, threads)
        bandwidth = long.matrix.nbytes / _best(lambda: read(one))
        rows, inner, outer = 256, 2048, 2048
        square = Weight.empty(kind, outer, inner)
        square.matrix.fill(0)
        x, multiply = np.ones((rows, inner), np.float32), Product(square, rows, threads)
        return cls(bandwidth, 2 * rows * inner * outer / _best(lambda: multiply(x)))


@attrs.frozen
class Floor:
    """The least time for a request: the weights of each step read once, and the prompt's products, nothing else."""

    speeds: Speeds
    step_bytes: float
    """Weights that every decoding step reads."""
    prompt_weights: int
    """Weights that every token of the prompt is multiplied with."""

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, int]], bytes_each: float, speeds: Speeds) -> Floor:
        """
        Args:
            shapes: Outputs and inputs of a network's products, by name.
            bytes_each: Bytes of one weight.
            speeds: Of this machine.
        """
        sizes = {name: outputs * inputs for name, (outputs, inputs) in shapes.items()}
        encoder = {name: size for name, size in sizes.items() if name.startswith("encoder.") or name == "cross"}
        stepped = {name: size for name, size in sizes.items() if name not in encoder}
        prompt = encoder or {name: size for name, size in sizes.items() if name != "head"}
        return cls(speeds, sum(stepped.values()) * bytes_each, sum(prompt.values()))

    def seconds(self, prompt_tokens: int, steps: int) -> float:
        """For a prompt and so many decoding steps, attention not counted."""
        reading = steps * self.step_bytes / self.speeds.bytes_per_second
        return reading + 2 * prompt_tokens * self.prompt_weights / self.speeds.operations_per_second


def machine(device: str = "cpu") -> dict[str, Any]:
    """Processor, cores, load and versions, for the record, and the CUDA devices where the model is on one."""
    gpus: dict[str, Any] = {}
    if device.startswith("cuda"):
        import torch

        names = map(torch.cuda.get_device_name, range(torch.cuda.device_count()))
        gpus = {"gpus": list(names), "cuda": torch.version.cuda}
    return {
        "processor": _processor(),
        "cores": psutil.cpu_count(logical=False),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "memory_bytes": psutil.virtual_memory().total,
        "torch": _version("torch"),
        "python": platform.python_version(),
        **gpus,
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _best(work: Callable[[], object]) -> float:
    work()
    seconds = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
