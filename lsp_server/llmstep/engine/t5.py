"""T5 and ByT5 on plain tensors in float32; see `llmstep.engine.causal`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs
import torch
from torch.nn import functional

from llmstep.engine.activations import activation
from llmstep.engine.distances import Distances
from llmstep.engine.linear import Linear, Make, in_place
from llmstep.engine.shared_cache import SharedCache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmstep.engine.prompt import EncodedPrompt

ARCHITECTURES = frozenset({"t5"})


P = TypeVar("P")
"""Whatever a product with a weight is in a network."""


@attrs.frozen(eq=False)
class Attention(Generic[P]):
    """One self-attention."""

    norm: torch.Tensor
    query_key_value: P
    out: P


@attrs.frozen(eq=False)
class CrossAttention(Generic[P]):
    """One attention to the encoder's output; its keys and values come from `T5Network._cross`."""

    norm: torch.Tensor
    query: P
    out: P


@attrs.frozen(eq=False)
class FeedForward(Generic[P]):
    norm: torch.Tensor
    inner: P
    out: P


@attrs.frozen(eq=False)
class Block(Generic[P]):
    """One layer of the encoder, or of the decoder with its attention to the encoder."""

    attention: Attention[P]
    feed_forward: FeedForward[P]
    cross: CrossAttention[P] | None = None


def knows(model: Any) -> bool:
    """Whether the architecture of a model, which the tests compare, can be run here; its weights are to be float32."""
    config = model.config
    if config.model_type not in ARCHITECTURES:
        return False
    return hasattr(config, "scale_decoder_outputs") and activation(config.dense_act_fn) is not None


class T5Network:
    """An encoder-decoder model.

    Args:
        model: The module; its weights are used where they are.
        start_id: First token of the decoder.
        make: Makes the products of weights, by name.
    """

    def __init__(self, model: Any, start_id: int, make: Make = in_place) -> None:
        config = model.config
        self._start_id = start_id
        self._heads, self._width = config.num_heads, config.d_kv
        self._gated = config.is_gated_act
        self._act = activation(config.dense_act_fn)
        self._epsilon = config.layer_norm_epsilon
        self._embed = model.shared.weight
        encoder, decoder = model.encoder.block, model.decoder.block
        self._encoder = [block_of(block, f"encoder.{i}.", make, self._gated) for i, block in enumerate(encoder)]
        self._decoder = [block_of(block, f"decoder.{i}.", make, self._gated) for i, block in enumerate(decoder)]
        self._encoder_norm = model.encoder.final_layer_norm.weight
        self._decoder_norm = model.decoder.final_layer_norm.weight
        # Keys and values of all the decoder's layers in one product, [layers x 2 x heads x width].
        attentions = [block.layer[1].EncDecAttention for block in decoder]
        self._cross = make("cross", [part for each in attentions for part in (each.k, each.v)])
        self._encoder_bias, self._decoder_bias = distances_of(model)
        self._scale = config.d_model**-0.5 if config.scale_decoder_outputs else 1.0
        self._head = make("head", [model.lm_head])
        self.forget()

    def forget(self) -> None:
        self._ids: list[int] = []
        self._self_caches = [SharedCache(self._heads, self._width, 1.0) for _ in self._decoder]
        self._cross_caches = [SharedCache(self._heads, self._width, 1.0) for _ in self._decoder]
        self._length = 0

    def read(self, prompt: EncodedPrompt, rows: int, longest: int, poll: Callable[[], None]) -> torch.Tensor:
        if prompt.input_ids != self._ids:
            self._ids = []
            encoded = self._encode(torch.tensor(prompt.input_ids), poll)
            parts = self._cross(encoded).view(len(encoded), len(self._decoder), 2, self._heads, self._width)
            for cache, part in zip(self._cross_caches, parts.unbind(1), strict=True):
                keys, values = part.permute(1, 2, 0, 3)  # [2, heads, input, width]
                cache.crop(0, len(encoded))
                cache.append(keys, values)
            self._ids = prompt.input_ids
        poll()
        hidden = self._prefix(torch.tensor([self._start_id, *prompt.decoder_ids]))
        for cache in self._self_caches:
            cache.begin_rows(rows, longest)
        self._length = len(hidden)
        return self._logits(hidden[-1:])

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = functional.embedding(tokens, self._embed)
        bias = self._decoder_bias.row(self._length)
        self._length += 1
        for block, own, cross in zip(self._decoder, self._self_caches, self._cross_caches, strict=True):
            parts = self._split(block.attention, hidden)
            hidden = hidden + block.attention.out(own.attend_rows(*parts, bias))
            assert block.cross is not None
            queries = block.cross.query(self._normed(hidden, block.cross.norm))
            queries = queries.view(-1, self._heads, self._width)
            hidden += block.cross.out(cross.attend_shared(queries))
            hidden += self._feed_forward(block.feed_forward, hidden)
        return self._logits(hidden)

    def drop(self, moves: list[tuple[int, int]], left: int) -> None:
        for cache in self._self_caches:
            cache.drop(moves, left)

    def _encode(self, ids: torch.Tensor, poll: Callable[[], None]) -> torch.Tensor:
        """The encoder's output, [input, hidden]."""
        hidden = functional.embedding(ids, self._embed)
        bias = self._encoder_bias.square(len(ids))
        for block in self._encoder:
            poll()
            queries, keys, values = (part.transpose(0, 1)[None] for part in self._split(block.attention, hidden))
            out = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias[None], scale=1.0)
            hidden = hidden + block.attention.out(out[0].transpose(0, 1).flatten(1))
            hidden += self._feed_forward(block.feed_forward, hidden)
        return self._normed(hidden, self._encoder_norm)

    def _prefix(self, ids: torch.Tensor) -> torch.Tensor:
        """Run the decoder over what all samples begin with; hidden states [prefix, hidden]."""
        hidden = functional.embedding(ids, self._embed)
        new = len(ids)
        mask = self._decoder_bias.square(new) + torch.full((new, new), -torch.inf).triu(1)
        for block, own, cross in zip(self._decoder, self._self_caches, self._cross_caches, strict=True):
            queries, keys, values = (part.transpose(0, 1) for part in self._split(block.attention, hidden))
            own.crop(0, new)
            own.append(keys, values)
            hidden = hidden + block.attention.out(own.attend_prompt(queries, mask))
            assert block.cross is not None
            asked = block.cross.query(self._normed(hidden, block.cross.norm)).view(new, self._heads, self._width)
            hidden += block.cross.out(cross.attend_shared(asked))
            hidden += self._feed_forward(block.feed_forward, hidden)
        return hidden

    def _split(
        self, attention: Attention[Linear], hidden: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values, [tokens, heads, width] each."""
        out = attention.query_key_value(self._normed(hidden, attention.norm))
        queries, keys, values = out.view(len(hidden), 3, self._heads, self._width).unbind(1)
        return queries, keys, values

    def _feed_forward(self, part: FeedForward[Linear], hidden: torch.Tensor) -> torch.Tensor:
        inner = part.inner(self._normed(hidden, part.norm))
        assert self._act is not None
        if self._gated:
            gate, up = inner.chunk(2, -1)
            return part.out(self._act(gate).mul_(up))
        return part.out(self._act(inner))

    def _normed(self, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return functional.rms_norm(hidden, weight.shape, weight, self._epsilon)

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return self._head(self._normed(hidden, self._decoder_norm) * self._scale)


def distances_of(model: Any) -> tuple[Distances, Distances]:
    """The biases of the encoder's attention to itself, and of the decoder's."""
    encoder, decoder = (
        Distances(
            stack.block[0].layer[0].SelfAttention.relative_attention_bias.weight,
            model.config.relative_attention_max_distance,
            bidirectional=stack is model.encoder,
        )
        for stack in (model.encoder, model.decoder)
    )
    return encoder, decoder


def block_of(block: Any, name: str, make: Callable[[str, Sequence[Any]], P], gated: bool) -> Block[P]:
    """The parts of a layer, with products as `make` makes them."""
    own = block.layer[0].SelfAttention
    dense = block.layer[-1].DenseReluDense
    cross = None
    if len(block.layer) == 3:
        to_input = block.layer[1].EncDecAttention
        cross = CrossAttention(
            norm=block.layer[1].layer_norm.weight,
            query=make(name + "cross_query", [to_input.q]),
            out=make(name + "cross_out", [to_input.o]),
        )
    return Block(
        attention=Attention(
            norm=block.layer[0].layer_norm.weight,
            query_key_value=make(name + "query_key_value", [own.q, own.k, own.v]),
            out=make(name + "attention_out", [own.o]),
        ),
        feed_forward=FeedForward(
            norm=block.layer[-1].layer_norm.weight,
            inner=make(name + "mlp_in", [dense.wi_0, dense.wi_1] if gated else [dense.wi]),
            out=make(name + "mlp_out", [dense.wo]),
        ),
        cross=cross,
    )
