"""What a model would run on here, for advice: without torch, which takes seconds to import."""

from __future__ import annotations

import shutil
import subprocess

from llmstep.catalog.recommended import Hardware
from llmstep.engine import device as devices
from llmstep.engine.served.choice import has_apple_gpu
from llmstep.engine.served.launches import llama_server

_SECONDS = 5.0


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
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(int(line) << 20 for line in done.stdout.split() if line.isdecimal()) if done.returncode == 0 else 0
