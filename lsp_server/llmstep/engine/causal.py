"""Decoder-only models on plain tensors: GPT-NeoX, Llama, Mistral, Qwen2 and Qwen3 in float32.

The modules of transformers spend most of a step of a small model in Python, and hold the prompt's keys once for every
sample; here a layer is a handful of tensor operations. Any weight may be replaced by a quantized one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from llmstep.engine.activations import activation
from llmstep.engine.causal_parts import base_of, embeddings_of, last_norm_of, layers_of, shape_of
from llmstep.engine.linear import Linear, Make, in_place
from llmstep.engine.network import common_length
from llmstep.engine.shared_cache import SharedCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.engine.causal_parts import Layer
    from llmstep.engine.prompt import EncodedPrompt

ARCHITECTURES = frozenset({"gpt_neox", "llama", "mistral", "qwen2", "qwen3"})
_ROTARY = frozenset({"default", "linear", "llama3", "yarn"})
"""Rotary embeddings that do not depend on the length of the text."""
_CHUNK = 512
"""Tokens of a prompt that are read at once; more need memory for the scores of each with each."""


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
        self._shape = shape_of(model)
        rotary = base_of(model).rotary_emb
        self._frequencies, self._scaling = rotary.inv_freq, rotary.attention_scaling
        self._act = activation(model.config.hidden_act)
        self._embed = embeddings_of(model)
        self._layers = layers_of(model, make)
        self._norm = last_norm_of(model)
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
        return self._head(self._norm(hidden[-1:]))

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = functional.embedding(tokens, self._embed)  # [rows, hidden]
        cos, sin = self._cos[self._position], self._sin[self._position]
        self._position += 1
        for layer, cache in zip(self._layers, self._caches, strict=True):
            parts = self._split(layer, hidden, cos, sin)
            hidden = self._rest(layer, hidden, cache.attend_rows(*parts))
        return self._head(self._norm(hidden))

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
        out = layer.query_key_value(layer.attention_norm(hidden))
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
                queries.copy_(layer.query_norm(queries))
                keys.copy_(layer.key_norm(keys))
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
        inner = layer.mlp_in(layer.mlp_norm(hidden))
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
