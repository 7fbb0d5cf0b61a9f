"""A decoder-only model on a GPU: every step is a function of fixed shape over memory that stays where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from llmstep.engine.gpu.blocks import Decoder
from llmstep.engine.gpu.memory import FIRST_OWN, Bucket, Memory
from llmstep.engine.gpu.steps import Steps
from llmstep.engine.linear import in_place
from llmstep.engine.network import common_length

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.engine.gpu.graphs import Recorder
    from llmstep.engine.linear import Make
    from llmstep.engine.prompt import EncodedPrompt

_CHUNK = 512
"""Tokens of a prompt that are read at once; more need memory for the scores of each with each."""


class StaticNetwork(Steps):
    """A network for the architectures that `llmstep.engine.causal.knows`.

    Args:
        model: The module of transformers.
        make: Makes the products of weights, by name.
        device: Where to compute; None where the model's weights are.
        dtype: In which format; None in that of the weights.
        recorder: As in `Steps`.
    """

    def __init__(
        self,
        model: Any,
        make: Make = in_place,
        *,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._device = device or model.device
        self._decoder = decoder = Decoder(model, make, self._device, dtype or model.dtype)
        self._cos, self._sin = decoder.rotations(0)
        memory = Memory(
            len(decoder.blocks), decoder.key_heads, decoder.width, decoder.width**-0.5, self._device, decoder.dtype
        )
        super().__init__(memory, recorder)

    def read(self, prompt: EncodedPrompt, rows: int, longest: int, poll: Callable[[], None]) -> torch.Tensor:
        ids = prompt.input_ids
        known = min(common_length(self._ids, ids), len(ids) - 1)  # the last one is read for its logits
        self._ids = ids[:known]
        self._own = 0
        self._reserve(Bucket.of(rows, len(ids), min(longest, FIRST_OWN)), known)
        hidden = torch.empty(0)
        for start in range(known, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            hidden = self._read(torch.tensor(chunk, device=self._device), start, poll)
            self._ids = ids[: start + len(chunk)]
        self._memory.begin(len(ids))
        return self._decoder.logits(hidden[-1:])

    def _read(self, ids: torch.Tensor, start: int, poll: Callable[[], None]) -> torch.Tensor:
        """Read part of a prompt; hidden states [new, hidden]."""
        decoder, memory = self._decoder, self._memory
        end = start + len(ids)
        cos, sin = self._cos[start:end], self._sin[start:end]
        hidden = decoder.embed(ids)
        for number, block in enumerate(decoder.blocks):
            poll()
            queries, keys, values = decoder.split(block, hidden, cos, sin)
            memory.append(number, start, keys, values)
            hidden = decoder.rest(block, hidden, memory.attend_prompt(number, start, queries))
        return hidden

    def _step(self, bucket: Bucket) -> torch.Tensor:
        decoder, memory = self._decoder, self._memory
        cos = self._cos.index_select(0, memory.position)
        sin = self._sin.index_select(0, memory.position)
        bias = torch.cat((memory.prompt_bias(bucket), memory.own_bias(bucket)))
        hidden = decoder.embed(memory.tokens[: bucket.rows])
        for number, block in enumerate(decoder.blocks):
            queries, keys, values = decoder.split(block, hidden, cos, sin)
            memory.write(number, bucket, keys, values)
            hidden = decoder.rest(block, hidden, memory.attend(number, bucket, queries, bias))
        return decoder.logits(hidden)

    def _fit(self, room: Bucket) -> None:
        if len(self._sin) < room.prompt + room.own:
            self._cos, self._sin = self._decoder.rotations(room.prompt + room.own)
