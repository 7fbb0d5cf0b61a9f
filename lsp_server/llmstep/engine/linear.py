"""Products with weights, y = x Wᵀ + b, by the kernel that is fast for few rows.

MKL, which torch uses for float32 products on x86 CPUs, is made for many rows: with ten samples oneDNN needs less than
half of its time on the same weights (docs/speed.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import torch
from torch.nn import functional

Linear = Callable[[torch.Tensor], torch.Tensor]
"""From [rows, in] to [rows, out]; float32 on CPUs, the model's format elsewhere."""

_LARGE = 1 << 18
"""Weights from which on oneDNN's larger cost of a call is won back."""

_ONEDNN = hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.mkldnn.is_available()


@attrs.frozen(eq=False)
class Weight:
    """A weight as a model holds it: [out, in] and [out] or nothing."""

    matrix: torch.Tensor
    bias: torch.Tensor | None = None


Make = Callable[[str, Sequence[Any]], Linear]
"""Makes one product of several `nn.Linear` with the same input, by a name that is unique in their model."""


def plain(weight: Weight) -> Linear:
    """The product in the weight's format."""
    matrix, bias = weight.matrix, weight.bias
    if not _ONEDNN or matrix.numel() < _LARGE or matrix.device.type != "cpu":
        return lambda x: functional.linear(x, matrix, bias)
    product = torch.ops.mkldnn._linear_pointwise
    return lambda x: product(x, matrix, bias, "none", [], "")


def in_place(_name: str, modules: Sequence[Any]) -> Linear:
    """The product with weights where they are, in their format."""
    return plain(joined(modules))


def joined(modules: Sequence[Any]) -> Weight:
    """Several `nn.Linear` with the same input as one.

    The weights of several become views of the joined one, so that they go on working and memory is not needed twice.
    """
    whole = read_together(modules)
    matrix, bias = whole.matrix, whole.bias
    start = 0
    for module in modules if len(modules) > 1 else ():
        end = start + module.weight.shape[0]
        module.weight.data = matrix[start:end]
        if bias is not None:
            module.bias.data = bias[start:end]
        start = end
    return whole


def read_together(modules: Sequence[Any]) -> Weight:
    """Several `nn.Linear` with the same input as one; they are left as they are."""
    bias = None if modules[0].bias is None else _join([module.bias for module in modules])
    return Weight(_join([module.weight for module in modules]), bias)


def _join(parts: list[torch.Tensor]) -> torch.Tensor:
    return parts[0].data if len(parts) == 1 else torch.cat([part.data for part in parts])
