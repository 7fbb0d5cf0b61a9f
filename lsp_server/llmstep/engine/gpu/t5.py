"""T5 and ByT5 on a GPU; see `llmstep.engine.gpu.network`.

The encoder is the module of transformers, run once for an input; the decoder's steps are tensor operations of fixed
shapes. The encoder's keys and values are the prompt of the memory; what the samples begin with (the start token, and
the prefix) is in every row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from llmstep.engine import t5
from llmstep.engine.activations import activation
from llmstep.engine.distances import Distances
from llmstep.engine.gpu.memory import FIRST_OWN, Bucket, Memory
from llmstep.engine.gpu.steps import Steps
from llmstep.engine.linear import in_place

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.engine.gpu.graphs import Recorder
    from llmstep.engine.linear import Linear
    from llmstep.engine.prompt import EncodedPrompt


def knows(model: Any) -> bool:
    """Whether a model can be run here; float16 wants treatment that T5's modules have."""
    return t5.knows(model) and model.dtype in (torch.bfloat16, torch.float32)


class StaticT5(Steps):
    """An encoder-decoder model, where it is and in its own format.

    Args:
        model: The module of transformers.
        start_id: First token of the decoder.
        recorder: As in `Steps`.
    """

    def __init__(self, model: Any, start_id: int, *, recorder: Recorder | None = None) -> None:
        config = model.config
        self._start_id = start_id
        self._encoder = model.get_encoder()
        self._device, self._dtype = model.device, model.dtype
        self._heads, self._width = config.num_heads, config.d_kv
        self._gated = config.is_gated_act
        self._act = activation(config.dense_act_fn)
        self._epsilon = config.layer_norm_epsilon
        self._embedding = model.shared.weight.data
        layers = model.decoder.block
        self._blocks = [t5.block_of(layer, f"decoder.{i}.", in_place, self._gated) for i, layer in enumerate(layers)]
        attentions = [layer.layer[1].EncDecAttention for layer in layers]
        self._cross = in_place("cross", [part for each in attentions for part in (each.k, each.v)])
        self._norm = model.decoder.final_layer_norm.weight
        self._distances = Distances(
            layers[0].layer[0].SelfAttention.relative_attention_bias.weight.data.cpu(),
            config.relative_attention_max_distance,
            bidirectional=False,
        )
        self._by_distance = torch.empty(0, 0)
        self._scale = config.d_model**-0.5 if config.scale_decoder_outputs else 1.0
        self._head = in_place("head", [model.lm_head])
        memory = Memory(len(self._blocks), self._heads, self._width, 1.0, self._device, self._dtype)
        super().__init__(memory, recorder)

    def read(self, prompt: EncodedPrompt, rows: int, longest: int, poll: Callable[[], None]) -> torch.Tensor:
        ids, begin = prompt.input_ids, [self._start_id, *prompt.decoder_ids]
        known = ids == self._ids
        if not known:
            self._ids = []
        self._own = 0
        poll()
        self._reserve(Bucket.of(rows, len(ids), len(begin) + min(longest, FIRST_OWN)), len(self._ids))
        if not known:
            encoded = self._encoder(input_ids=torch.tensor([ids], device=self._device)).last_hidden_state[0]
            parts = self._cross(encoded).view(len(ids), len(self._blocks), 2, self._heads, self._width)
            for number, part in enumerate(parts.unbind(1)):
                self._memory.append(number, 0, *part.unbind(1))
            self._ids = ids
        poll()
        self._memory.begin(len(ids), len(begin))
        hidden = self._begin(torch.tensor(begin, device=self._device), Bucket.of(rows, len(ids), len(begin)))
        self._own = len(begin)
        return self._logits(hidden[-1:])

    def _begin(self, ids: torch.Tensor, bucket: Bucket) -> torch.Tensor:
        """Run the decoder over what all rows begin with; hidden states [tokens, hidden]."""
        places = torch.arange(len(ids), device=self._device)
        away = places[:, None] - places[None, :]
        bias = self._by_distance[:, away.clamp_min(0)].masked_fill(away < 0, -torch.inf)
        seen = self._memory.prompt_bias(bucket)
        hidden = functional.embedding(ids, self._embedding)
        for number, block in enumerate(self._blocks):
            parts = self._split(block.attention, hidden)
            self._memory.write_alike(number, *parts[1:])
            queries, keys, values = (part.transpose(0, 1)[None] for part in parts)
            out = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias[None], scale=1.0)
            hidden = self._rest(number, block, bucket, hidden, out[0].transpose(0, 1).flatten(1), seen)
        return hidden

    def _step(self, bucket: Bucket) -> torch.Tensor:
        memory = self._memory
        seen = memory.prompt_bias(bucket)
        bias = self._by_distance.index_select(1, memory.distances(bucket)) + memory.own_bias(bucket)  # [heads, own]
        hidden = functional.embedding(memory.tokens[: bucket.rows], self._embedding)
        for number, block in enumerate(self._blocks):
            queries, keys, values = self._split(block.attention, hidden)
            memory.write(number, bucket, keys, values)
            hidden = self._rest(number, block, bucket, hidden, memory.attend_own(number, bucket, queries, bias), seen)
        return self._logits(hidden)

    def _fit(self, room: Bucket) -> None:
        if self._by_distance.shape[1] <= room.own:
            table, reach = self._distances.table(room.own)
            # By how far back a key is, from 0 on.
            self._by_distance = table[:, : reach + 1].flip(1).to(self._device, self._dtype)

    def _split(
        self, attention: t5.Attention[Linear], hidden: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values, [tokens, heads, width] each."""
        out = attention.query_key_value(self._normed(hidden, attention.norm))
        queries, keys, values = out.view(-1, 3, self._heads, self._width).unbind(1)
        return queries, keys, values

    def _rest(
        self,
        number: int,
        block: t5.Block[Linear],
        bucket: Bucket,
        hidden: torch.Tensor,
        attended: torch.Tensor,
        seen: torch.Tensor,
    ) -> torch.Tensor:
        """What follows the attention of a block to its own text."""
        hidden = hidden + block.attention.out(attended)
        assert block.cross is not None
        assert self._act is not None
        asked = block.cross.query(self._normed(hidden, block.cross.norm)).view(-1, self._heads, self._width)
        hidden = hidden + block.cross.out(self._memory.attend_shared(number, bucket, asked, seen))
        inner = block.feed_forward.inner(self._normed(hidden, block.feed_forward.norm))
        if self._gated:
            gate, up = inner.chunk(2, -1)
            return hidden + block.feed_forward.out(self._act(gate) * up)
        return hidden + block.feed_forward.out(self._act(inner))

    def _normed(self, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return functional.rms_norm(hidden, weight.shape, weight, self._epsilon)

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return self._head(self._normed(hidden, self._norm) * self._scale).float()
