"""The runtime benchmark on CUDA devices: what is measured, what the device can do, and waiting for it.

What the host has started is not yet done: every time is taken after the device has come to rest.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from llmstep.bench import hardware, shapes
from llmstep.bench.hardware import Floor, Speeds
from llmstep.engine import device as devices
from llmstep.engine.gpu import few_bits, int4, int8
from llmstep.engine.gpu.network import StaticNetwork
from llmstep.engine.network import network_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmstep.engine.device import Placement
    from llmstep.engine.loaded import LoadedModel
    from llmstep.settings import Settings

_ROUNDS = 7
_HALF = 2
_BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "int8": 1.0, "int4": 0.5 + 4 / 128}
"""Of a weight that is read; with the two numbers of 16 bits of each 128 in four bits."""


def chosen(settings: Settings) -> bool:
    """Whether settings put the model on a CUDA device.

    Raises:
        SettingsError: The device that they name is not there.
    """
    found = devices.choose_device(
        settings.device, cuda=torch.cuda.is_available(), mps=torch.backends.mps.is_available()
    )
    return found == "cuda"


def shape(name: str, placement: Placement) -> LoadedModel:
    """A model of a shape with its network; in few bits its module has no weights any more.

    Raises:
        RequestError: There is no such shape, or it cannot be had in this format.
    """
    loaded = shapes.make(name, placement)
    if placement.dtype not in few_bits.FORMATS:
        loaded.network = network_for(loaded.model, loaded.start_id)
        return loaded
    device, activations = torch.device(placement.device), placement.torch_dtype
    make = few_bits.maker(placement.dtype, device, activations)
    loaded.network = StaticNetwork(loaded.model, make, device=device, dtype=activations)
    loaded.device = str(device)
    loaded.model.to("meta")
    return loaded


def shapes_of(loaded: LoadedModel) -> dict[str, tuple[int, int]]:
    """Outputs and inputs of a model's products, by names as `Floor.of` takes them; none where `generate` runs it."""
    if loaded.network is None:
        return {}
    head = loaded.model.get_output_embeddings()
    found = {}
    for name, module in loaded.model.named_modules():
        if isinstance(module, nn.Linear):
            part = "head" if module is head else name.removeprefix("model.")
            if part.endswith(("EncDecAttention.k", "EncDecAttention.v", "encoder_attn.k_proj", "encoder_attn.v_proj")):
                part = f"encoder.{part}"  # of the input alone
            found[part] = (module.out_features, module.in_features)
    return found


def floor(products: Mapping[str, tuple[int, int]], dtype: str, device: str) -> Floor | None:
    """The floor of a request; see `hardware.Floor`."""
    if len(products) < _HALF:  # a model whose products are not `nn.Linear` has its head at most
        return None
    found = Floor.of(products, 1, speeds(dtype, device))
    read = found.step_bytes * _BYTES[dtype]
    if dtype == "int4" and "head" in products:  # which has eight bits
        outputs, inputs = products["head"]
        read += outputs * inputs * (_BYTES["int8"] - _BYTES["int4"])
    return Floor(found.speeds, int(read), found.prompt_weights)


def speeds(dtype: str, device: str, block_bytes: int = 1 << 30, width: int = 8192) -> Speeds:
    """Reading memory, and a large product of the format, on a device.

    Args:
        block_bytes: Memory that is read; much more than the device's caches hold.
        width: Inputs and outputs of the product, for 512 rows.
    """
    where = torch.device(device)
    block = torch.ones(block_bytes // 4, dtype=torch.float32, device=where)
    bandwidth = block.nbytes / _best(block.sum, device)
    del block
    activations = devices.Placement(where.type, dtype).torch_dtype
    matrix = torch.randn(width, width, device=where, dtype=activations)
    multiply: Callable[[torch.Tensor], torch.Tensor]
    if dtype == "int8":
        multiply = int8.product(int8.quantize([matrix], where), None)
    elif dtype == "int4":
        multiply = int4.product(int4.quantize([matrix], where, activations), None)
    else:
        multiply = lambda rows: functional.linear(rows, matrix)  # noqa: E731
    x = torch.randn(512, width, device=where, dtype=activations)
    return Speeds(bandwidth, 2 * 512 * width * width / _best(lambda: multiply(x), device))


def synchronize(device: str) -> None:
    """Wait until a CUDA device has done all it was told; others have."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def peak_bytes(device: str) -> int:
    """Most memory so far: that of tensors on all CUDA devices, or that of the process where the model is not on one."""
    if not device.startswith("cuda"):
        return hardware.peak_bytes()
    return sum(torch.cuda.max_memory_allocated(index) for index in range(torch.cuda.device_count()))


def machine(device: str) -> dict[str, Any]:
    """The CUDA devices, for the record; nothing elsewhere."""
    if not device.startswith("cuda"):
        return {}
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"gpus": names, "cuda": torch.version.cuda}


def _best(work: Callable[[], object], device: str) -> float:
    with torch.inference_mode():
        work()
        seconds = []
        for _ in range(_ROUNDS):
            synchronize(device)
            started = time.perf_counter()
            work()
            synchronize(device)
            seconds.append(time.perf_counter() - started)
    return min(seconds)
