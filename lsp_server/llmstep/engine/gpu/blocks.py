"""Decoder-only models as tensor operations of fixed shapes, on any device and in any format.

No operation here looks at a number, and none has a shape that a step changes, so that a step can be recorded as a CUDA
graph. (The network for CPUs, `llmstep.engine.causal`, is the same arithmetic in float32, with views that grow.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch.nn import functional

from llmstep.engine.activations import activation

if TYPE_CHECKING:
    from llmstep.engine.linear import Linear, Make


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


@attrs.frozen(eq=False)
class Block:
    """One layer; the products may be of any kind."""

    attention_norm: Norm
    query_key_value: Linear
    query_norm: Norm | None
    key_norm: Norm | None
    attention_out: Linear
    mlp_norm: Norm
    mlp_in: Linear
    mlp_out: Linear


class Decoder:
    """A model without keys and values.

    Args:
        model: A module of transformers whose architecture `llmstep.engine.causal.knows`.
        make: Makes the products of weights, by name; they take and give `dtype` on `device`.
        device: Where embeddings and norms go.
        dtype: Their format.
    """

    def __init__(self, model: Any, make: Make, device: torch.device, dtype: torch.dtype) -> None:
        config = model.config
        neox = config.model_type == "gpt_neox"
        base = model.gpt_neox if neox else model.model
        self.device, self.dtype = device, dtype
        self.heads: int = config.num_attention_heads
        self.key_heads: int = self.heads if neox else config.num_key_value_heads
        self.width: int = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self.vocabulary: int = config.vocab_size
        self._interleaved = neox  # queries, keys and values next to each other head by head
        self._parallel: bool = neox and config.use_parallel_residual
        self._act = activation(config.hidden_act)
        self._frequencies = base.rotary_emb.inv_freq.detach().to("cpu", torch.float32)
        self._scaling = float(base.rotary_emb.attention_scaling)
        self._rotary = 2 * len(self._frequencies)
        self._epsilon = config.layer_norm_eps if neox else config.rms_norm_eps
        self._embedding = (base.embed_in if neox else base.embed_tokens).weight.data.to(device, dtype)
        build = self._neox if neox else self._llama
        self.blocks = [build(layer, f"{number}.", make) for number, layer in enumerate(base.layers)]
        self._norm = self._norm_of(base.final_layer_norm if neox else base.norm)
        self._head = make("head", [model.lm_head])

    def rotations(self, positions: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosine, and sine with the sign of its half, of so many positions; [positions, rotated numbers of a head]."""
        angles = torch.arange(positions, dtype=torch.float32)[:, None] * self._frequencies
        cos, sin = angles.cos() * self._scaling, angles.sin() * self._scaling
        return (
            torch.cat((cos, cos), -1).to(self.device, self.dtype),
            torch.cat((-sin, sin), -1).to(self.device, self.dtype),
        )

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Hidden states [tokens, hidden]."""
        return functional.embedding(tokens, self._embedding)

    def split(
        self, block: Block, hidden: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values of tokens, [tokens, heads, width] each, the first two rotated.

        Args:
            cos: As `sin`, [tokens or 1, rotated numbers].
        """
        out = block.query_key_value(block.attention_norm(hidden))
        cos, sin = cos[:, None], sin[:, None]
        if self._interleaved:
            out = out.view(-1, self.heads, 3, self.width)
            queries, keys, values = out.unbind(2)
            both = out[:, :, :2]
            cos, sin = cos[:, None], sin[:, None]
        else:
            out = out.view(-1, self.heads + 2 * self.key_heads, self.width)
            queries, keys, values = out.split((self.heads, self.key_heads, self.key_heads), 1)
            both = out[:, : self.heads + self.key_heads]
            if block.query_norm is not None and block.key_norm is not None:
                queries.copy_(block.query_norm(queries))
                keys.copy_(block.key_norm(keys))
        rotated = both[..., : self._rotary]
        rotated.copy_(torch.addcmul(rotated * cos, rotated.roll(self._rotary // 2, -1), sin))
        return queries, keys, values

    def rest(self, block: Block, hidden: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """What follows the attention in a block."""
        attended = block.attention_out(attended) + hidden
        if self._parallel:  # attention and MLP read the same
            return attended + self._mlp(block, hidden)
        return attended + self._mlp(block, attended)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """float32, [tokens, vocabulary]"""
        return self._head(self._norm(hidden)).float()

    def _mlp(self, block: Block, hidden: torch.Tensor) -> torch.Tensor:
        inner = block.mlp_in(block.mlp_norm(hidden))
        assert self._act is not None
        if self._interleaved:
            return block.mlp_out(self._act(inner))
        gate, up = inner.chunk(2, -1)
        return block.mlp_out(self._act(gate) * up)

    def _neox(self, layer: Any, name: str, make: Make) -> Block:
        attention, mlp = layer.attention, layer.mlp
        return Block(
            attention_norm=self._norm_of(layer.input_layernorm),
            query_key_value=make(name + "query_key_value", [attention.query_key_value]),
            query_norm=None,
            key_norm=None,
            attention_out=make(name + "attention_out", [attention.dense]),
            mlp_norm=self._norm_of(layer.post_attention_layernorm),
            mlp_in=make(name + "mlp_in", [mlp.dense_h_to_4h]),
            mlp_out=make(name + "mlp_out", [mlp.dense_4h_to_h]),
        )

    def _llama(self, layer: Any, name: str, make: Make) -> Block:
        attention, mlp = layer.self_attn, layer.mlp
        normed = hasattr(attention, "q_norm")
        return Block(
            attention_norm=self._norm_of(layer.input_layernorm),
            query_key_value=make(name + "query_key_value", [attention.q_proj, attention.k_proj, attention.v_proj]),
            query_norm=self._norm_of(attention.q_norm) if normed else None,
            key_norm=self._norm_of(attention.k_norm) if normed else None,
            attention_out=make(name + "attention_out", [attention.o_proj]),
            mlp_norm=self._norm_of(layer.post_attention_layernorm),
            mlp_in=make(name + "mlp_in", [mlp.gate_proj, mlp.up_proj]),
            mlp_out=make(name + "mlp_out", [mlp.down_proj]),
        )

    def _norm_of(self, module: Any) -> Norm:
        bias = getattr(module, "bias", None)
        return Norm(
            module.weight.data.to(self.device, self.dtype),
            None if bias is None else bias.data.to(self.device, self.dtype),
            self._epsilon,
        )
