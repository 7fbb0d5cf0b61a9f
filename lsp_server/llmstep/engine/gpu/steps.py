"""Decoding over memory that stays where it is: what networks on a GPU have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from llmstep.engine.gpu.graphs import CudaRecorder, Graphs, Recorder
from llmstep.engine.gpu.memory import Bucket, Memory

if TYPE_CHECKING:
    import torch


class Steps(ABC):
    """The steps of a network; see `llmstep.engine.network.Network`.

    Logits of a step are valid until the next step. The shape of a step is one of a few (`memory.Bucket`): rows beyond
    those that are alive, and room behind the last token, are computed and not looked at.

    Args:
        memory: Keys and values, empty.
        recorder: Records steps; None takes CUDA graphs on CUDA devices and runs steps as they are elsewhere.
    """

    runs_ahead = True
    """Whether a step can be started before anybody has looked at the last one; see `llmstep.engine.gpu.ahead`."""

    def __init__(self, memory: Memory, recorder: Recorder | None) -> None:
        device = memory.tokens.device
        self._memory = memory
        self._graphs = Graphs(CudaRecorder(device) if recorder is None and device.type == "cuda" else recorder)
        self.forget()

    def forget(self) -> None:
        # The memory stays, and with it the records of steps.
        self._ids: list[int] = []
        """Tokens of the prompt whose keys and values are known."""
        self._own = 0
        """Tokens that each row has of its own."""

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

    def _reserve(self, bucket: Bucket, known: int) -> None:
        """Have memory for a bucket, with `known` tokens of the prompt and what the rows have already."""
        if not self._memory.holds(bucket):
            self._graphs.clear()  # of the addresses that there were; before, since memory may be too short for others
            self._memory.reserve(bucket, known, self._own)
        self._fit(self._memory.room)

    @abstractmethod
    def _fit(self, room: Bucket) -> None:
        """Have what depends on places for all for which there is memory; called before every step."""

    @abstractmethod
    def _step(self, bucket: Bucket) -> torch.Tensor:
        """Logits, float32 [rows, vocabulary], behind `tokens` of the memory; what changes is read from memory."""
