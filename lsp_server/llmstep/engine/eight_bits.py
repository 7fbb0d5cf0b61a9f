"""Networks in eight bits, by the faster of two kernels: the compiled one where the processor has products of bytes for
it, else torch's."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, Literal

from llmstep.engine import int8
from llmstep.engine.linear import read_together
from llmstep.engine.network import is_plain, plain_network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmstep.engine.compiled.weights import TiledWeight
    from llmstep.engine.int8 import Quantized
    from llmstep.engine.linear import Linear
    from llmstep.engine.network import Network

_log = logging.getLogger(__name__)

Kernel = Literal["tiles", "onednn"]


@functools.cache
def kernel() -> Kernel | None:
    """The kernel for this processor; None where there is none whose sums are exact."""
    try:
        from llmstep.engine.compiled.compiler import vector_bits

        if vector_bits():
            return "tiles"
    except (ImportError, OSError) as error:
        _log.info("llmstep: int8 without compiled kernels: %s", error)
    return "onednn" if int8.works() else None


def product(weight: Quantized) -> Linear:
    """The product with a weight, by this processor's kernel."""
    if kernel() == "tiles":
        from llmstep.engine.compiled.single import product as compiled

        return compiled(weight)
    return int8.product(weight)


def quantize(_name: str, modules: Sequence[Any]) -> Quantized:
    """Several `nn.Linear` with the same input as one weight in eight bits."""
    return int8.quantize(read_together(modules))


def network(
    model: Any, start_id: int | None, weigh: Callable[[str, Sequence[Any]], Quantized] = quantize
) -> Network | None:
    """A network of a model's weights in eight bits; None where the architecture or the processor cannot do that.

    Args:
        model: A module of transformers.
        start_id: First token of the decoder; None for causal models.
        weigh: Gives the weight of several `nn.Linear`, by a name that is unique in their model.
    """
    if kernel() is None or not is_plain(model, start_id):
        return None
    if kernel() == "tiles":
        from llmstep.engine.compiled.weights import tiled

        return compiled_network(model, start_id, lambda name, modules: tiled(weigh(name, modules)))
    return plain_network(model, start_id, lambda name, modules: int8.product(weigh(name, modules)))


def compiled_network(model: Any, start_id: int | None, take: Callable[[str, Sequence[Any]], TiledWeight]) -> Network:
    """A compiled network; `take` gives weights in tiles by name, and the modules may be bare ones."""
    from llmstep.engine.compiled.causal import CompiledCausal
    from llmstep.engine.compiled.t5 import CompiledT5

    return CompiledCausal(model, take) if start_id is None else CompiledT5(model, start_id, take)
