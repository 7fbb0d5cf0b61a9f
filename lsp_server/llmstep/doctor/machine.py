"""Python, libraries, device and memory."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys

import psutil

from llmstep import __version__
from llmstep.doctor import missing, note, ok
from llmstep.progress import format_bytes
from llmstep.wire.state import Finding

SECONDS_FOR_TORCH = 90.0
LEAST_MEMORY = 2_000_000_000

_TORCH = """
import json, torch
cuda = torch.cuda.is_available()
print(json.dumps({
    "torch": torch.__version__,
    "cuda": torch.cuda.get_device_name() if cuda else None,
    "cuda_bytes": torch.cuda.get_device_properties(0).total_memory if cuda else None,
    "mps": torch.backends.mps.is_available(),
    "threads": torch.get_num_threads(),
}))
"""


def llmstep() -> Finding:
    """llmstep's version and the Python that runs it."""
    python = platform.python_version()
    facts = {"llmstep": __version__, "python": python, "executable": sys.executable, "system": platform.platform()}
    return ok("llmstep", f"{__version__} on Python {python} ({sys.executable})", **facts)


def libraries() -> Finding:
    """Versions of the libraries, none of which is imported."""
    wanted = ("torch", "transformers", "numba", "tokenizers", "huggingface_hub", "pygls")
    versions = {name: version_of(name) for name in wanted}
    text = ", ".join(f"{name} {version or 'not installed'}" for name, version in versions.items())
    absent = [name for name in wanted[2:] if versions[name] is None]
    if absent:
        return missing("libraries", text, f"Run: {sys.executable} -m pip install {' '.join(absent)}", **versions)
    return ok("libraries", text, **versions)


def version_of(name: str) -> str | None:
    """The version of an installed package; None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def device() -> Finding:
    """The device that torch would use, where it is installed.

    Seen in a process of its own: a torch build that does not fit the processor kills whoever imports it.
    """
    if version_of("torch") is None:
        text = "cpu; PyTorch is not installed, which GPUs and some models need"
        return note("device", text, "For those: pip install 'llmstep[torch]'.", torch=None)
    command = [sys.executable, "-c", _TORCH]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_FOR_TORCH, check=False)
    except subprocess.TimeoutExpired:
        text = f"torch was not imported within {SECONDS_FOR_TORCH:g} s"
        return missing("device", text, "Install torch again (https://pytorch.org/get-started).")
    if done.returncode != 0:
        error = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        advice = "Install a torch build that fits this machine (https://pytorch.org/get-started)."
        return missing("device", f"torch cannot be imported: {error}", advice)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    text = f"cpu, {found['threads']} threads; no GPU that torch can use"
    if found["cuda"]:
        text = f"cuda: {found['cuda']}, {format_bytes(found['cuda_bytes'])}"
    elif found["mps"]:
        text = "mps: Apple GPU"
    return ok("device", text, **found)


def memory() -> Finding:
    """Memory that is free for a model and for Lean."""
    now = psutil.virtual_memory()
    text = f"{format_bytes(now.available)} free of {format_bytes(now.total)}"
    facts = {"available_bytes": now.available, "total_bytes": now.total}
    if now.available < LEAST_MEMORY:
        advice = "Close programs, or keep to the starter model: a model and Lean need some GB."
        return note("memory", text, advice, **facts)
    return ok("memory", text, **facts)
