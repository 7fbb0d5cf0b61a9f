"""Models in eight bits, quantized once and kept on disk, so that the next start reads a quarter of the bytes.

A packed model is one safetensors file in the user's cache: the products' weights and scales, and whatever else the
network reads (embeddings, norms) in float32. It is read tensor by tensor into the kernel's own order, and not mapped:
mapped pages would be in memory beside what the kernel keeps.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from typing import TYPE_CHECKING, Any

import platformdirs
import torch
from safetensors.torch import save_file
from torch import nn

from llmstep.engine import int8
from llmstep.engine.files import weight_paths
from llmstep.engine.network import network_for
from llmstep.errors import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import FileIO
    from pathlib import Path

    from llmstep.engine.linear import Linear, Weight
    from llmstep.engine.loaded import Plan
    from llmstep.engine.network import Network

FORMAT = 1
"""Goes up when the contents of a packed file change their meaning."""

_DTYPES = {"I8": torch.int8, "F32": torch.float32}


def path_for(plan: Plan) -> Path:
    """Where the packed form of a model is or would be; another one when the model's files change."""
    digest = hashlib.sha256(f"{FORMAT}\0".encode())
    digest.update((plan.folder / "config.json").read_bytes())
    for path in (*weight_paths(plan.folder), *(weight_paths(plan.adapter) if plan.adapter else ())):
        status = path.stat()
        # In the hub's cache the name of the file behind the link is the hash of its contents.
        digest.update(f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    name = re.sub(r"[^\w.-]+", "-", plan.name).strip("-")[-60:]
    return platformdirs.user_cache_path("llmstep") / "packed" / f"{name}-{digest.hexdigest()[:16]}.safetensors"


def load(plan: Plan, start_id: int | None, skeleton: Any, read: Callable[[], Any]) -> Network:
    """The network that runs a model in eight bits.

    Args:
        plan: The model.
        start_id: First token of the decoder; None for causal models.
        skeleton: The module on the `meta` device, where weights take no memory; it gets what is not quantized.
        read: Reads the module with its weights; called when there is no packed form of it.

    Raises:
        ModelLoadError: The CPU or the architecture cannot do it.
    """
    if not int8.works():
        raise _impossible(f"This processor has no exact products of bytes, which {plan.name} needs in int8.")
    path = path_for(plan)
    if path.is_file():
        with contextlib.suppress(OSError, ValueError, KeyError):  # damaged: made anew
            return _open(path, skeleton, start_id)
    _pack(read(), start_id, path, plan)
    return _open(path, skeleton, start_id)


def _pack(model: Any, start_id: int | None, path: Path, plan: Plan) -> None:
    tensors: dict[str, torch.Tensor] = {}

    def collect(name: str, weight: Weight) -> Linear:
        quantized = int8.quantize(weight)
        tensors[f"matrix.{name}"], tensors[f"scales.{name}"] = quantized.matrix, quantized.scales
        if quantized.bias is not None:
            tensors[f"bias.{name}"] = quantized.bias
        return lambda x: x

    if network_for(model, start_id, collect) is None:
        raise _impossible(f"The architecture of {plan.name} ({plan.config.model_type}) cannot be run in int8.")
    for name, parameter in _others(model).items():
        tensors[f"other.{name}"] = parameter.detach().float().contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        save_file(tensors, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _open(path: Path, model: Any, start_id: int | None) -> Network:
    """
    Raises:
        ValueError: The file is damaged.
        KeyError: A tensor is missing.
    """
    with path.open("rb", buffering=0) as file:
        tensors = _Tensors(file, path.stat().st_size)
        for name in _others(model):
            holder, _, attribute = name.rpartition(".")
            parameter = nn.Parameter(tensors.read(f"other.{name}"), requires_grad=False)
            setattr(model.get_submodule(holder), attribute, parameter)

        def take(name: str, _weight: Weight) -> Linear:
            bias = tensors.read(f"bias.{name}") if f"bias.{name}" in tensors else None
            return int8.product(int8.Quantized(tensors.read(f"matrix.{name}"), tensors.read(f"scales.{name}"), bias))

        network = network_for(model, start_id, take)
    assert network is not None  # as when it was packed
    return network


def _others(model: Any) -> dict[str, torch.Tensor]:
    """Parameters that belong to no product, each once."""
    found: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for holder, module in model.named_modules():
        if isinstance(module, nn.Linear):
            continue
        for name, parameter in module.named_parameters(holder, recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                found[name] = parameter
    return found


class _Tensors:
    """The tensors of a safetensors file, read one at a time.

    Raises:
        ValueError: The header is no header, or the file is shorter or longer than it says.
    """

    def __init__(self, file: FileIO, size: int) -> None:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length < size:
            raise ValueError("no header")
        self._header = json.loads(file.read(length))
        self._file, self._start = file, 8 + length
        ends = [entry["data_offsets"][1] for name, entry in self._header.items() if name != "__metadata__"]
        if self._start + max(ends, default=0) != size:
            raise ValueError("the size is not that of the header")

    def __contains__(self, name: str) -> bool:
        return name in self._header

    def read(self, name: str) -> torch.Tensor:
        entry = self._header[name]
        start, end = entry["data_offsets"]
        tensor = torch.empty(entry["shape"], dtype=_DTYPES[entry["dtype"]])
        self._file.seek(self._start + start)
        view = memoryview(tensor.view(-1).view(torch.uint8).numpy()) if tensor.numel() else memoryview(b"")
        done = 0
        while done < end - start:
            count = self._file.readinto(view[done:])
            if not count:
                raise ValueError("the file ends early")
            done += count
        return tensor


def _impossible(message: str) -> ModelLoadError:
    return ModelLoadError(message, hint="Set llmstep.dtype to float32 or bfloat16.")
