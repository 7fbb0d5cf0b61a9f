"""Models in eight or four bits on a GPU: for which there is a way, how large they are, and their products.

What four bits cannot hold, the head among it, has eight; embeddings and norms keep the format of the activations.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs
import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from llmstep.engine import causal
from llmstep.engine.gpu import int4, int8

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstep.engine.linear import Linear, Make
    from llmstep.engine.loaded import Plan

FORMATS = ("int8", "int4")
_BITS = {"int8": 8.0, "int4": 4.25}
"""Of a weight in the products; with the two numbers of 16 bits of each 128."""


def suits(config: Any) -> bool:
    """Whether models of a configuration can be run in few bits: those that `StaticNetwork` knows."""
    if not type(config).__module__.startswith("transformers.models.") or config.is_encoder_decoder:
        return False
    known = causal.knows(SimpleNamespace(config=config))
    return known and all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)


def weight_bytes(config: Any, parameters: int, dtype: str) -> int:
    """Memory of a model's weights in `int8` or `int4`."""
    table = config.vocab_size * config.hidden_size
    tables = 1 if config.tie_word_embeddings else 2
    products = max(0, parameters - tables * table)
    size: int = int(products * _BITS[dtype] / 8) + 2 * table + table  # embeddings in 16 bits, the head in eight
    return size


def smaller(plan: Plan, free: int, room: float) -> Plan | None:
    """The same model in as many bits as `free` bytes hold; None where four are too many, or it cannot be done.

    Args:
        plan: On a CUDA device, in a format that is too large.
        free: Bytes on one device.
        room: Memory that is needed for each byte of weights.
    """
    if not suits(plan.config):
        return None
    for dtype in FORMATS:
        size = weight_bytes(plan.config, plan.parameters, dtype)
        if size * room <= free and possible(dtype):
            return attrs.evolve(plan, placement=attrs.evolve(plan.placement, dtype=dtype), weight_bytes=size)
    return None


def possible(dtype: str) -> bool:
    """Whether the CUDA devices here can do a format; the kernel for four bits is for 8.0 and newer."""
    from llmstep.engine.device import cuda_capability

    return dtype != "int4" or cuda_capability() >= (8, 0)


def maker(dtype: str, device: torch.device, activations: torch.dtype) -> Make:
    """Makes products in `int8` or `int4` on a device from weights anywhere, which are read slice by slice."""

    def make(name: str, modules: Sequence[Any]) -> Linear:
        weights = [module.weight.data for module in modules]
        biases = [module.bias.data for module in modules if module.bias is not None]
        bias = torch.cat(biases).to(device, activations) if biases else None
        outputs, inputs = sum(map(len, weights)), weights[0].shape[1]
        if dtype == "int4" and name != "head" and int4.fits(outputs, inputs, device):
            return int4.product(int4.quantize(weights, device, activations), bias)
        return int8.product(int8.quantize(weights, device), bias)

    return make
