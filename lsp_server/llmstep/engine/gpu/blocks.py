"""Decoder-only models as tensor operations of fixed shapes, on any device and in any format.

No operation here looks at a number, and none has a shape that a step changes, so that a step can be recorded as a CUDA
graph. (The network for CPUs, `llmstep.engine.causal`, is the same arithmetic in float32, with views that grow.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from llmstep.engine.activations import activation
from llmstep.engine.causal_parts import base_of, embeddings_of, last_norm_of, layers_of, shape_of

if TYPE_CHECKING:
    from llmstep.engine.causal_parts import Layer
    from llmstep.engine.linear import Linear, Make


class Decoder:
    """A model without keys and values.

    Args:
        model: A module of transformers whose architecture `llmstep.engine.causal.knows`.
        make: Makes the products of weights, by name; they take and give `dtype` on `device`.
        device: Where embeddings and norms go.
        dtype: Their format.
    """

    def __init__(self, model: Any, make: Make, device: torch.device, dtype: torch.dtype) -> None:
        def place(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.to(device, dtype)

        shape = self._shape = shape_of(model)
        self.device, self.dtype = device, dtype
        self.key_heads, self.width = shape.key_heads, shape.width
        self._act = activation(model.config.hidden_act)
        rotary = base_of(model).rotary_emb
        self._frequencies = rotary.inv_freq.detach().to("cpu", torch.float32)
        self._scaling = float(rotary.attention_scaling)
        self._embedding = place(embeddings_of(model).data)
        self.blocks = layers_of(model, make, place)
        self._norm = last_norm_of(model, place)
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
        self, block: Layer[Linear], hidden: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values of tokens, [tokens, heads, width] each, the first two rotated.

        Args:
            cos: As `sin`, [tokens or 1, rotated numbers].
        """
        shape = self._shape
        out = block.query_key_value(block.attention_norm(hidden))
        cos, sin = cos[:, None], sin[:, None]
        if shape.interleaved:
            out = out.view(-1, shape.heads, 3, shape.width)
            queries, keys, values = out.unbind(2)
            both = out[:, :, :2]
            cos, sin = cos[:, None], sin[:, None]
        else:
            out = out.view(-1, shape.heads + 2 * shape.key_heads, shape.width)
            queries, keys, values = out.split((shape.heads, shape.key_heads, shape.key_heads), 1)
            both = out[:, : shape.heads + shape.key_heads]
            if block.query_norm is not None and block.key_norm is not None:
                queries.copy_(block.query_norm(queries))
                keys.copy_(block.key_norm(keys))
        rotated = both[..., : shape.rotary]
        rotated.copy_(torch.addcmul(rotated * cos, rotated.roll(shape.rotary // 2, -1), sin))
        return queries, keys, values

    def rest(self, block: Layer[Linear], hidden: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """What follows the attention in a block."""
        attended = block.attention_out(attended) + hidden
        if self._shape.parallel:  # attention and MLP read the same
            return attended + self._mlp(block, hidden)
        return attended + self._mlp(block, attended)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """float32, [tokens, vocabulary]"""
        return self._head(self._norm(hidden)).float()

    def _mlp(self, block: Layer[Linear], hidden: torch.Tensor) -> torch.Tensor:
        inner = block.mlp_in(block.mlp_norm(hidden))
        assert self._act is not None
        if not self._shape.gated:
            return block.mlp_out(self._act(inner))
        gate, up = inner.chunk(2, -1)
        return block.mlp_out(self._act(gate) * up)
