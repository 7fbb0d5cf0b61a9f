"""A decoder-only model on a GPU: every step is a function of fixed shape over memory that stays where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from llmstep.engine.gpu.blocks import Decoder
from llmstep.engine.gpu.graphs import CudaRecorder, Graphs, Recorder
from llmstep.engine.gpu.memory import Bucket, Memory
from llmstep.engine.linear import in_place
from llmstep.engine.network import common_length

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.engine.linear import Make
    from llmstep.engine.prompt import EncodedPrompt

_CHUNK = 512
"""Tokens of a prompt that are read at once; more need memory for the scores of each with each."""
_FIRST_OWN = 128
"""Tokens that rows have room for at first; those that grow longer get twice as much."""


class StaticNetwork:
    """See `llmstep.engine.network.Network`; for the architectures that `llmstep.engine.causal.knows`.

    Logits of a step are valid until the next step. The shape of a step is one of a few (`memory.Bucket`): rows beyond
    those that are alive, and room behind the last token, are computed and not looked at.

    Args:
        model: The module of transformers.
        make: Makes the products of weights, by name.
        device: Where to compute; None where the model's weights are.
        dtype: In which format; None in that of the weights.
        recorder: Records steps; None takes CUDA graphs on CUDA devices and runs steps as they are elsewhere.
    """

    runs_ahead = True
    """Whether a step can be started before anybody has looked at the last one; see `llmstep.engine.gpu.ahead`."""

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
        self._decoder = Decoder(model, make, self._device, dtype or model.dtype)
        if recorder is None and self._device.type == "cuda":
            recorder = CudaRecorder(self._device)
        self._graphs = Graphs(recorder)
        decoder = self._decoder
        self._memory = Memory(len(decoder.blocks), decoder.key_heads, decoder.width, self._device, decoder.dtype)
        self._cos, self._sin = decoder.rotations(0)
        self.forget()

    def forget(self) -> None:
        # The memory stays, and with it the records of steps.
        self._ids: list[int] = []
        self._own = 0

    def read(self, prompt: EncodedPrompt, rows: int, longest: int, poll: Callable[[], None]) -> torch.Tensor:
        ids = prompt.input_ids
        known = min(common_length(self._ids, ids), len(ids) - 1)  # the last one is read for its logits
        self._ids = ids[:known]
        self._own = 0
        self._reserve(Bucket.of(rows, len(ids), min(longest, _FIRST_OWN)), known)
        hidden = torch.empty(0)
        for start in range(known, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            hidden = self._read(torch.tensor(chunk, device=self._device), start, poll)
            self._ids = ids[: start + len(chunk)]
        self._memory.begin(len(ids))
        return self._decoder.logits(hidden[-1:])

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        bucket = Bucket.of(len(tokens), len(self._ids), self._own + 1)
        self._reserve(bucket, len(self._ids))
        self._memory.tokens[: len(tokens)] = tokens
        logits = self._graphs.run(bucket, lambda: self._step(bucket))
        self._memory.advance()
        self._own += 1
        return logits[: len(tokens)]

    def drop(self, moves: list[tuple[int, int]], left: int) -> None:
        self._memory.move(moves)  # the rows that are not left are computed and ignored, or the next bucket is smaller

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
        """One token more for every row of a bucket; what changes from step to step is read from tensors that stay."""
        decoder, memory = self._decoder, self._memory
        cos = self._cos.index_select(0, memory.position)
        sin = self._sin.index_select(0, memory.position)
        bias = memory.bias(bucket)
        hidden = decoder.embed(memory.tokens[: bucket.rows])
        for number, block in enumerate(decoder.blocks):
            parts = decoder.split(block, hidden, cos, sin)
            hidden = decoder.rest(block, hidden, memory.attend_rows(number, bucket, *parts, bias))
        return decoder.logits(hidden)

    def _reserve(self, bucket: Bucket, known: int) -> None:
        """Have memory for a bucket, with `known` tokens of the prompt and what the rows have already."""
        if self._memory.reserve(bucket, known, self._own):
            room = self._memory.room
            self._cos, self._sin = self._decoder.rotations(room.prompt + room.own)
            self._graphs.clear()
