"""What compiled networks have in common: one program, the threads that run it, and steps of samples behind a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llmstep.decoder.compiled import program as p
from llmstep.decoder.compiled.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from llmstep.decoder.compiled.builder import Builder
    from llmstep.decoder.compiled.caches import OwnCache
    from llmstep.decoder.embedding import Embedding


class CompiledNetwork:
    """A `Network` without its reading of prompts.

    Args:
        builder: Writes the program.
        embed: The embeddings of its tokens.
        shapes: See `Network`.
    """

    _own: OwnCache
    _head_part: int
    """Where the operations of the logits begin, which end the program."""
    _step_part: tuple[int, int]
    """Where the program's operations of a step begin and end."""
    _ids: list[int]
    """What was read last."""

    def __init__(self, builder: Builder, embed: Embedding, shapes: dict[str, tuple[int, int]]) -> None:
        self._builder, self._embed, self.shapes = builder, embed, shapes
        self._program, self._state = builder.program, builder.program.state
        self._vocabulary = shapes["head"][0]
        self._machine = Machine(1)
        self.threads = 1

    def forget(self) -> None:
        self._ids = []

    def step(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        self._put(tokens)
        self._run(*self._step_part)
        self._state[p.OWN] += 1
        return self._logits(len(tokens))

    def drop(self, moves: list[tuple[int, int]], left: int) -> None:
        self._own.drop(moves)

    def _begin(self, tokens: int, rows: int) -> None:
        """Make ready for prompts of so many tokens and so many samples."""
        self._builder.reserve(max(tokens, rows), rows)
        if self.threads != self._machine.threads:
            self._machine = Machine(self.threads)

    def _put(self, tokens: Sequence[int] | NDArray[np.int64]) -> None:
        """Have the embeddings of tokens in the residual stream, a row for each."""
        rows = self._state[p.ROWS] = len(tokens)
        self._embed.read(tokens, self._builder.hidden[:rows])

    def _run(self, first: int, last: int) -> None:
        """Run a part of the program."""
        self._machine.reserve(self._builder.scratch_for(self._state))
        self._machine.run(self._program, first, last)

    def _last_logits(self) -> NDArray[np.float32]:
        """Logits of the residual stream's last row, [1, vocabulary]."""
        hidden = self._builder.hidden
        hidden[0] = hidden[int(self._state[p.ROWS]) - 1]
        self._state[p.ROWS] = 1
        self._run(self._head_part, len(self._program))
        return self._logits(1)

    def _logits(self, rows: int) -> NDArray[np.float32]:
        """A copy of the logits of the first rows, [rows, vocabulary]."""
        return np.array(self._builder.logits[:rows, : self._vocabulary])
