"""The runtime benchmark on CUDA devices: waiting for them, and their memory.

What the host has started is not yet done: every time is taken after the device has come to rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstep.bench import hardware
from llmstep.engine import device as devices

if TYPE_CHECKING:
    from llmstep.settings import Settings


def chosen(settings: Settings) -> bool:
    """Whether settings put the model on a CUDA device.

    Raises:
        SettingsError: The device that they name is not there.
    """
    if devices.without_torch(settings.device):
        return False
    import torch

    found = devices.choose_device(
        settings.device, cuda=torch.cuda.is_available(), mps=torch.backends.mps.is_available()
    )
    return found == "cuda"


def synchronize(device: str) -> None:
    """Wait until a CUDA device has done all that it was given; others have."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def peak_bytes(device: str) -> int:
    """Most memory so far: that of tensors on all CUDA devices, or that of the process where the model is not on one."""
    if not device.startswith("cuda"):
        return hardware.peak_bytes()
    import torch

    return sum(torch.cuda.max_memory_allocated(index) for index in range(torch.cuda.device_count()))


def machine(device: str) -> dict[str, Any]:
    """The CUDA devices, for the record; nothing elsewhere."""
    if not device.startswith("cuda"):
        return {}
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"gpus": names, "cuda": torch.version.cuda}
