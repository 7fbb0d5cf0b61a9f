"""What a model would run on here, asked without torch, and which engine `auto` means for it."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys

from llmstep.catalog.gguf import choose_gguf, is_gguf
from llmstep.catalog.memory import needed_bytes
from llmstep.catalog.models import gguf_file
from llmstep.catalog.recommended import Hardware
from llmstep.catalog.registry import find_record
from llmstep.engine import device as devices
from llmstep.engine.served.launches import llama_server
from llmstep.errors import LlmstepError
from llmstep.settings import Settings

_SECONDS_FOR_DRIVER = 5.0
LARGE = 1_000_000_000
"""Parameters from which on a step is waited for where it is not fast."""


def prefers_llama_cpp(settings: Settings) -> bool:
    """Whether llama.cpp's server is the better place for the model of the settings.

    It is for a model that is nothing but a GGUF file. For one of the catalog whose file is on this machine, beside
    llama.cpp and without a CUDA device, it is on Apple's GPUs, for large models on processors without products of
    bytes, and where the memory holds the file and not the weights in eight bits.
    """
    if settings.engine != "auto":
        return settings.engine == "llama.cpp"
    try:
        if is_gguf(settings.model):
            return True
        record = find_record(settings.model)
        if record is None or gguf_file(record) is None or not llama_server():
            return False
        file = choose_gguf(settings).path
    except LlmstepError:
        return False
    if file is None or settings.device == "cuda" or (settings.device == "auto" and has_cuda()):
        return False
    parameters, free = record.parameters or 0, devices.free_bytes("cpu")
    return (
        (settings.device != "cpu" and has_apple_gpu())
        or (parameters >= LARGE and not has_byte_products())
        or needed_bytes(file.stat().st_size) <= free < (record.needed_bytes("cpu") or 0)
    )


def has_cuda() -> bool:
    """Whether an NVIDIA driver is installed."""
    return shutil.which("nvidia-smi") is not None


def has_apple_gpu() -> bool:
    return sys.platform == "darwin" and platform.machine() == "arm64"


def has_byte_products() -> bool:
    """Whether the processor adds up products of bytes in one instruction, as far as LLVM knows."""
    try:
        from llvmlite.binding import get_host_cpu_features
    except ImportError:
        return False
    features = get_host_cpu_features()
    return any(features.get(name) for name in ("avx512vnni", "avxvnni", "dotprod"))


def this_machine() -> Hardware:
    """Device, free memory, and whether llama.cpp's server is installed.

    A GPU counts where its driver is: torch, which a plain installation lacks, is one of the steps to it.
    """
    llama_cpp = bool(llama_server())
    if has_apple_gpu():
        return Hardware("mps", devices.free_bytes("mps"), llama_cpp)
    free = _nvidia_free_bytes()
    if free:
        return Hardware("cuda", free, llama_cpp)
    return Hardware("cpu", devices.free_bytes("cpu"), llama_cpp)


def _nvidia_free_bytes() -> int:
    """Free memory of all of NVIDIA's GPUs together; 0 where there is none, or its driver does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    command = [program, "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS_FOR_DRIVER, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(int(line) << 20 for line in done.stdout.split() if line.isdecimal()) if done.returncode == 0 else 0
