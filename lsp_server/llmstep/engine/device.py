"""Where a model runs: device, number format, threads, and how much memory is free there.

torch is imported by what asks about it: the starter does without.
"""

from __future__ import annotations

import os
import platform
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import attrs
import psutil

from llmstep.decoder.interface import SMALL
from llmstep.errors import SettingsError
from llmstep.settings import Device, Dtype

CGROUP = Path("/sys/fs/cgroup")


@attrs.frozen
class Placement:
    """Where the weights go and in which format."""

    device: Literal["cpu", "cuda", "mps"]
    dtype: str
    """`float32`, `bfloat16`, `float16`, or on CPUs `int8` or `int4`: products in few bits, all else in float32."""


def without_torch(device: Device) -> Literal["cpu"] | None:
    """The CPU where it is what the settings mean and no GPU is there to be asked about; else None, and torch knows.

    torch takes far longer to import than small models to answer, and a plain installation does without it.
    """
    if device == "cpu" or (device == "auto" and (find_spec("torch") is None or not _may_have_gpu())):
        return "cpu"
    return None


def _may_have_gpu() -> bool:
    """Whether there is a driver of a GPU, or the machine is one of Apple's that have one."""
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32" / "nvcuda.dll").exists()
    return has_apple_gpu() or any(
        Path(each).exists() for each in ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd", "/dev/nvhost-gpu")
    )


def has_apple_gpu() -> bool:
    return sys.platform == "darwin" and platform.machine() == "arm64"


def place(device: Device, dtype: Dtype) -> Placement:
    """Device and number format for the settings, on this machine.

    Raises:
        SettingsError: The device that is asked for is not there, or cannot do the format.
    """
    if device in ("cuda", "mps") and find_spec("torch") is None:
        raise SettingsError(
            f"The setting llmstep.device is {device}, and PyTorch, which runs models on GPUs, is not installed.",
            hint="Install it with `pip install 'llmstep[torch]'`, or set llmstep.device to auto.",
        )
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    chosen = choose_device(device, cuda=cuda, mps=mps)
    gpus = range(torch.cuda.device_count()) if chosen == "cuda" else ()
    capability = min(map(torch.cuda.get_device_capability, gpus), default=(0, 0))  # a model may be divided among all
    if dtype in ("int8", "int4") and chosen != "cpu":
        raise SettingsError(
            f"The setting llmstep.dtype is {dtype}, which is for CPUs, and the device is {chosen}.",
            hint="Set llmstep.dtype to auto, or llmstep.engine to llama.cpp with a GGUF file of fewer bits.",
        )
    return Placement(chosen, choose_dtype(dtype, chosen, capability))


def chosen(device: Device) -> Literal["cpu", "cuda", "mps"]:
    """The device that the settings mean, found without torch where that is possible; raises as `place`."""
    return without_torch(device) or place(device, "auto").device


def choose_device(wanted: Device, *, cuda: bool, mps: bool) -> Literal["cpu", "cuda", "mps"]:
    """`auto` takes the fastest there is; raises SettingsError for a device that is not there."""
    if wanted == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    if (wanted == "cuda" and not cuda) or (wanted == "mps" and not mps):
        import torch

        name = "CUDA" if wanted == "cuda" else "MPS (Apple)"
        raise SettingsError(
            f"The setting llmstep.device is {wanted}, but torch {torch.__version__} finds no {name} device.",
            hint="Set llmstep.device to auto or cpu, or install a driver and a torch build that match the device.",
        )
    return wanted


def choose_dtype(wanted: Dtype, device: str, capability: tuple[int, int] = (0, 0)) -> str:
    """`auto` and `fast` are half precision on GPUs, and on CPUs float32 as long as no model is known.

    bfloat16, which CUDA devices have from compute capability 8.0 on, keeps float32's range: nothing overflows.
    """
    if wanted not in ("auto", "fast"):
        return wanted
    if device == "cpu":
        return "float32"
    return "bfloat16" if device == "cuda" and capability >= (8, 0) else "float16"


def cpu_threads(wanted: int, parameters: int, cores: int | None = None) -> int:
    """Threads for a model on the CPU; with `wanted` 0, what leaves room for the editor and Lean.

    A small model gets one: threads that wait for each other on busy cores cost several times the work. A larger one
    gets all physical cores that this process may use but one, and both of two, since Lean mostly rests meanwhile.
    """
    if wanted > 0:
        return wanted
    if parameters < SMALL:
        return 1
    cores = cores or min(_allowed_cores(), psutil.cpu_count(logical=False) or _allowed_cores())
    return cores if cores <= 2 else cores - 1


def _allowed_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cuda_free_bytes() -> dict[int, int]:
    """Memory that a model could take now, on each CUDA device."""
    import torch

    # What torch's allocator holds without using it is free for us.
    return {
        index: int(
            torch.cuda.mem_get_info(index)[0] + torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)
        )
        for index in range(torch.cuda.device_count())
    }


def free_bytes(device: str) -> int:
    """Memory that a model could take on `device` now; with `cuda`, on all GPUs together."""
    if device == "cuda":
        return sum(cuda_free_bytes().values())
    free = int(psutil.virtual_memory().available)
    limit = container_free_bytes()
    return free if limit is None else min(free, limit)


def container_free_bytes(cgroup: Path = CGROUP) -> int | None:
    """What a container's memory limit (cgroup v2) leaves; None where there is no limit.

    Cached file pages count as used in `memory.current`, though the kernel gives them up on demand.
    """
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        if limit == "max":
            return None
        used = int((cgroup / "memory.current").read_text())
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        return max(0, int(limit) - used + int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0)))
    except (OSError, ValueError):
        return None
