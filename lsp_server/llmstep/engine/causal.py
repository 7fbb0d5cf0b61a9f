"""Decoder-only models on plain tensors: GPT-NeoX, Llama, Mistral, Qwen2 and Qwen3 in float32.

The modules of transformers spend most of a step of a small model in Python, and hold the prompt's keys once for every
sample; here a layer is a handful of tensor operations. Any weight may be replaced by a quantized one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs
import torch
from torch.nn import functional

from llmstep.engine.activations import activation
from llmstep.engine.linear import Linear, Make, in_place
from llmstep.engine.network import common_length
from llmstep.engine.shared_cache import SharedCache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmstep.engine.prompt import EncodedPrompt

ARCHITECTURES = frozenset({"gpt_neox", "llama", "mistral", "qwen2", "qwen3"})
_ROTARY = frozenset({"default", "linear", "llama3", "yarn"})
"""Rotary embeddings that do not depend on the length of the text."""
_CHUNK = 512
"""Tokens of a prompt that are read at once; more need memory for the scores of each with each."""

Norm = tuple[torch.Tensor, Any, float]
"""Weight, bias (None for RMS norms) and epsilon."""


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


def knows(model: Any) -> bool:
    """Whether the architecture of a model, which the tests compare, can be run here; its weights are to be float32."""
    config = model.config
    if config.model_type not in ARCHITECTURES:
        return False
    rotary = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    return rotary in _ROTARY and activation(config.hidden_act) is not None


class CausalNetwork:
    """A decoder-only model.

    Args:
        model: The module; its weights are used where they are.
        make: Makes the products of weights, by name.
    """

    def __init__(self, model: Any, make: Make = in_place) -> None:
        shape = self._shape = shape_of(model)
        base = model.gpt_neox if shape.interleaved else model.model
        self._frequencies = base.rotary_emb.inv_freq
        self._scaling = base.rotary_emb.attention_scaling
        self._act = activation(model.config.hidden_act)
        self._embed = (base.embed_in if shape.interleaved else base.embed_tokens).weight
        self._layers = layers_of(model, make)
        self._norm = norm_of(base.final_layer_norm if shape.interleaved else base.norm, self._layers[0].mlp_norm[2])
        self._head = make("head", [model.lm_head])
        self._cos = self._sin = torch.empty(0, self._shape.rotary)
        self.forget()

    def forget(self) -> None:
        shape = self._shape
        self._ids: list[int] = []
        self._caches = [SharedCache(shape.key_heads, shape.width, shape.width**-0.5) for _ in self._layers]
        self._position = 0

    def read(self, prompt: EncodedPrompt, rows: int, longest: int, poll: Callable[[], None]) -> torch.Tensor:
        ids = prompt.input_ids
        known = min(common_length(self._ids, ids), len(ids) - 1)  # the last one is read for its logits
        self._ids = ids[:known]
        for cache in self._caches:
            cache.crop(known, len(ids))
        self._reach(len(ids) + longest)
        hidden = torch.empty(0)
        for start in range(known, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            hidden = self._chunk(torch.tensor(chunk), start, poll)
            self._ids = ids[: start + len(chunk)]
        for cache in self._caches:
            cache.begin_rows(rows, longest)
        self._position = len(ids)
        return self._head(_normed(hidden[-1:], self._norm))

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = functional.embedding(tokens, self._embed)  # [rows, hidden]
        cos, sin = self._cos[self._position], self._sin[self._position]
        self._position += 1
        for layer, cache in zip(self._layers, self._caches, strict=True):
            parts = self._split(layer, hidden, cos, sin)
            hidden = self._rest(layer, hidden, cache.attend_rows(*parts))
        return self._head(_normed(hidden, self._norm))

    def drop(self, moves: list[tuple[int, int]], left: int) -> None:
        for cache in self._caches:
            cache.drop(moves, left)

    def _chunk(self, ids: torch.Tensor, start: int, poll: Callable[[], None]) -> torch.Tensor:
        """Run part of a prompt; hidden states [new, hidden]."""
        hidden = functional.embedding(ids, self._embed)
        new, end = len(ids), start + len(ids)
        # Broadcast over the heads, [new, 1, rotary].
        cos, sin = self._cos[start:end, None], self._sin[start:end, None]
        mask = torch.full((1, new, end), -torch.inf).triu(start + 1) if new > 1 else None
        for layer, cache in zip(self._layers, self._caches, strict=True):
            poll()
            queries, keys, values = self._split(layer, hidden, cos, sin)
            cache.append(keys.transpose(0, 1), values.transpose(0, 1))
            hidden = self._rest(layer, hidden, cache.attend_prompt(queries.transpose(0, 1), mask))
        return hidden

    def _split(
        self, layer: Layer[Linear], hidden: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values of tokens, [tokens, heads, width] each, the first two rotated."""
        shape = self._shape
        out = layer.query_key_value(_normed(hidden, layer.attention_norm))
        if shape.interleaved:
            out = out.view(len(hidden), shape.heads, 3, shape.width)
            queries, keys, values = out.unbind(2)
            both = out[:, :, :2]
            cos, sin = cos.unsqueeze(-2), sin.unsqueeze(-2)
        else:
            out = out.view(len(hidden), shape.heads + 2 * shape.key_heads, shape.width)
            queries, keys, values = out.split((shape.heads, shape.key_heads, shape.key_heads), 1)
            both = out[:, : shape.heads + shape.key_heads]
            if layer.query_norm is not None and layer.key_norm is not None:
                queries.copy_(_normed(queries, layer.query_norm))
                keys.copy_(_normed(keys, layer.key_norm))
        rotated = both[..., : shape.rotary]
        rotated.copy_(torch.addcmul(rotated * cos, rotated.roll(shape.rotary // 2, -1), sin))
        return queries, keys, values

    def _rest(self, layer: Layer[Linear], hidden: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """What follows the attention in a block."""
        attended = layer.attention_out(attended)
        if self._shape.parallel:
            attended += hidden
            attended += self._mlp(layer, hidden)
            return attended
        attended += hidden
        return attended + self._mlp(layer, attended)

    def _mlp(self, layer: Layer[Linear], hidden: torch.Tensor) -> torch.Tensor:
        inner = layer.mlp_in(_normed(hidden, layer.mlp_norm))
        assert self._act is not None
        if self._shape.gated:
            gate, up = inner.chunk(2, -1)
            return layer.mlp_out(self._act(gate).mul_(up))
        return layer.mlp_out(self._act(inner))

    def _reach(self, positions: int) -> None:
        """Have rotations for so many positions: cosine, and sine with the sign of its half."""
        if positions <= len(self._cos):
            return
        places = torch.arange(max(positions, 2 * len(self._cos)), dtype=torch.float32)
        angles = places[:, None] * self._frequencies
        cos, sin = angles.cos() * self._scaling, angles.sin() * self._scaling
        self._cos, self._sin = torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1)


def shape_of(model: Any) -> Shape:
    """What the layers of a model have in common; it has to be one that is known here."""
    config = model.config
    neox = config.model_type == "gpt_neox"
    base = model.gpt_neox if neox else model.model
    heads = config.num_attention_heads
    return Shape(
        heads=heads,
        key_heads=heads if neox else config.num_key_value_heads,
        width=getattr(config, "head_dim", None) or config.hidden_size // heads,
        rotary=2 * len(base.rotary_emb.inv_freq),
        interleaved=neox,
        gated=not neox,
        parallel=neox and config.use_parallel_residual,
    )


def layers_of(model: Any, make: Callable[[str, Sequence[Any]], P]) -> list[Layer[P]]:
    """The blocks of a model, with products as `make` makes them."""
    if model.config.model_type == "gpt_neox":
        return [
            _neox(layer, f"{i}.", make, model.config.layer_norm_eps) for i, layer in enumerate(model.gpt_neox.layers)
        ]
    return [_llama(layer, f"{i}.", make, model.config.rms_norm_eps) for i, layer in enumerate(model.model.layers)]


def _neox(layer: Any, name: str, make: Callable[[str, Sequence[Any]], P], epsilon: float) -> Layer[P]:
    return Layer(
        attention_norm=norm_of(layer.input_layernorm, epsilon),
        query_key_value=make(name + "query_key_value", [layer.attention.query_key_value]),
        query_norm=None,
        key_norm=None,
        attention_out=make(name + "attention_out", [layer.attention.dense]),
        mlp_norm=norm_of(layer.post_attention_layernorm, epsilon),
        mlp_in=make(name + "mlp_in", [layer.mlp.dense_h_to_4h]),
        mlp_out=make(name + "mlp_out", [layer.mlp.dense_4h_to_h]),
    )


def _llama(layer: Any, name: str, make: Callable[[str, Sequence[Any]], P], epsilon: float) -> Layer[P]:
    attention, mlp = layer.self_attn, layer.mlp
    normed = hasattr(attention, "q_norm")
    return Layer(
        attention_norm=norm_of(layer.input_layernorm, epsilon),
        query_key_value=make(name + "query_key_value", [attention.q_proj, attention.k_proj, attention.v_proj]),
        query_norm=norm_of(attention.q_norm, epsilon) if normed else None,
        key_norm=norm_of(attention.k_norm, epsilon) if normed else None,
        attention_out=make(name + "attention_out", [attention.o_proj]),
        mlp_norm=norm_of(layer.post_attention_layernorm, epsilon),
        mlp_in=make(name + "mlp_in", [mlp.gate_proj, mlp.up_proj]),
        mlp_out=make(name + "mlp_out", [mlp.down_proj]),
    )


def norm_of(module: Any, epsilon: float) -> Norm:
    return module.weight.data, getattr(module, "bias", None), epsilon


def _normed(hidden: torch.Tensor, norm: Norm) -> torch.Tensor:
    weight, bias, epsilon = norm
    if bias is None:
        return functional.rms_norm(hidden, weight.shape, weight, epsilon)
    return functional.layer_norm(hidden, weight.shape, weight, bias, epsilon)
