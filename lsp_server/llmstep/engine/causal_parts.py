"""What decoder-only models are made of, taken from the modules of transformers; whatever runs them starts from here."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    Place = Callable[[torch.Tensor], torch.Tensor]


@attrs.frozen(eq=False)
class Norm:
    """A layer norm, or an RMS norm where there is no bias."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    epsilon: float

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        if self.bias is None:
            return functional.rms_norm(hidden, self.weight.shape, self.weight, self.epsilon)
        return functional.layer_norm(hidden, self.weight.shape, self.weight, self.bias, self.epsilon)


P = TypeVar("P")
"""Whatever a product with a weight is in a network."""


@attrs.frozen(eq=False)
class Layer(Generic[P]):
    """One block; products may be of any kind."""

    attention_norm: Norm
    query_key_value: P
    query_norm: Norm | None
    key_norm: Norm | None
    attention_out: P
    mlp_norm: Norm
    mlp_in: P
    mlp_out: P


@attrs.frozen
class Shape:
    """What the layers of a model have in common."""

    heads: int
    key_heads: int
    width: int
    """Of one head."""
    rotary: int
    """Leading numbers of a head that are rotated."""
    interleaved: bool
    """Whether queries, keys and values are next to each other head by head, as in GPT-NeoX."""
    gated: bool
    parallel: bool
    """Whether attention and MLP read the same input, as in GPT-NeoX."""


def _as_it_is(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def base_of(model: Any) -> Any:
    """The module that holds the layers; the model has to be of one of `causal.ARCHITECTURES`."""
    return model.gpt_neox if model.config.model_type == "gpt_neox" else model.model


def embeddings_of(model: Any) -> torch.Tensor:
    """[vocabulary, hidden]"""
    base = base_of(model)
    embeddings: torch.Tensor = (base.embed_in if hasattr(base, "embed_in") else base.embed_tokens).weight
    return embeddings


def last_norm_of(model: Any, place: Place = _as_it_is) -> Norm:
    """That in front of the head."""
    base = base_of(model)
    return _norm(base.final_layer_norm if hasattr(base, "final_layer_norm") else base.norm, _epsilon(model), place)


def shape_of(model: Any) -> Shape:
    """What the layers of a model have in common; it has to be one that is known here."""
    config = model.config
    neox = config.model_type == "gpt_neox"
    heads = config.num_attention_heads
    return Shape(
        heads=heads,
        key_heads=heads if neox else config.num_key_value_heads,
        width=getattr(config, "head_dim", None) or config.hidden_size // heads,
        rotary=2 * len(base_of(model).rotary_emb.inv_freq),
        interleaved=neox,
        gated=not neox,
        parallel=neox and config.use_parallel_residual,
    )


def layers_of(model: Any, make: Callable[[str, Sequence[Any]], P], place: Place = _as_it_is) -> list[Layer[P]]:
    """The blocks of a model.

    Args:
        make: Makes the products.
        place: Puts the norms' tensors where they are wanted.
    """
    build = _neox if model.config.model_type == "gpt_neox" else _llama
    norm = functools.partial(_norm, epsilon=_epsilon(model), place=place)
    return [build(layer, f"{number}.", make, norm) for number, layer in enumerate(base_of(model).layers)]


def _neox(layer: Any, name: str, make: Callable[[str, Sequence[Any]], P], norm: Callable[[Any], Norm]) -> Layer[P]:
    return Layer(
        attention_norm=norm(layer.input_layernorm),
        query_key_value=make(name + "query_key_value", [layer.attention.query_key_value]),
        query_norm=None,
        key_norm=None,
        attention_out=make(name + "attention_out", [layer.attention.dense]),
        mlp_norm=norm(layer.post_attention_layernorm),
        mlp_in=make(name + "mlp_in", [layer.mlp.dense_h_to_4h]),
        mlp_out=make(name + "mlp_out", [layer.mlp.dense_4h_to_h]),
    )


def _llama(layer: Any, name: str, make: Callable[[str, Sequence[Any]], P], norm: Callable[[Any], Norm]) -> Layer[P]:
    attention, mlp = layer.self_attn, layer.mlp
    normed = hasattr(attention, "q_norm")
    return Layer(
        attention_norm=norm(layer.input_layernorm),
        query_key_value=make(name + "query_key_value", [attention.q_proj, attention.k_proj, attention.v_proj]),
        query_norm=norm(attention.q_norm) if normed else None,
        key_norm=norm(attention.k_norm) if normed else None,
        attention_out=make(name + "attention_out", [attention.o_proj]),
        mlp_norm=norm(layer.post_attention_layernorm),
        mlp_in=make(name + "mlp_in", [mlp.gate_proj, mlp.up_proj]),
        mlp_out=make(name + "mlp_out", [mlp.down_proj]),
    )


def _epsilon(model: Any) -> float:
    config = model.config
    return float(config.layer_norm_eps if config.model_type == "gpt_neox" else config.rms_norm_eps)


def _norm(module: Any, epsilon: float, place: Place) -> Norm:
    bias = getattr(module, "bias", None)
    return Norm(place(module.weight.data), None if bias is None else place(bias.data), epsilon)
