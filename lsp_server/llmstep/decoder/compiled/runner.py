"""Runs a network's program, from tokens to logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llmstep.decoder.compiled import program as p
from llmstep.decoder.compiled.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from llmstep.decoder.compiled.builder import Builder
    from llmstep.decoder.compiled.program import Program
    from llmstep.decoder.embedding import Embedding


class Runner:
    """One program and the threads that run it."""

    def __init__(self, program: Program, builder: Builder) -> None:
        self.program, self._builder = program, builder
        self._machine = Machine(1)
        self.threads = 1

    def begin(self, tokens: int, rows: int) -> None:
        """Make ready for prompts of so many tokens and so many samples."""
        self._builder.reserve(max(tokens, rows), rows)
        if self.threads != self._machine.threads:
            self._machine = Machine(self.threads)

    def embed(self, table: Embedding, tokens: Sequence[int] | NDArray[np.int64]) -> None:
        """Have the embeddings of tokens in the residual stream, a row for each."""
        rows = self.program.state[p.ROWS] = len(tokens)
        table.read(tokens, self._builder.hidden[:rows])

    def run(self, first: int, last: int) -> None:
        """Run a part of the program."""
        self._machine.reserve(self._builder.scratch_for(self.program.state))
        self._machine.run(self.program, first, last)

    def logits_of_last(self, first: int, vocabulary: int) -> NDArray[np.float32]:
        """Logits of the residual stream's last row, [1, vocabulary], which the program's end from `first` on makes."""
        hidden, state = self._builder.hidden, self.program.state
        hidden[0] = hidden[int(state[p.ROWS]) - 1]
        state[p.ROWS] = 1
        self.run(first, len(self.program))
        return self.logits(1, vocabulary)

    def logits(self, rows: int, vocabulary: int) -> NDArray[np.float32]:
        """A copy of the logits of the first rows, [rows, vocabulary]."""
        return np.array(self._builder.logits[:rows, :vocabulary])
