"""Runs a network's program with torch's number of threads, from tokens to logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from llmstep.engine.compiled import program as p
from llmstep.engine.compiled.machine import Machine

if TYPE_CHECKING:
    from llmstep.engine.compiled.builder import Builder
    from llmstep.engine.compiled.program import Program


class Runner:
    """One program and the threads that run it."""

    def __init__(self, program: Program, builder: Builder) -> None:
        self.program, self._builder = program, builder
        self._machine = Machine(1)

    def begin(self, tokens: int, rows: int) -> None:
        """Make ready for prompts of so many tokens and so many samples, with as many threads as torch has now."""
        self._builder.reserve(max(tokens, rows), rows)
        threads = torch.get_num_threads()
        if threads != self._machine.threads:
            self._machine = Machine(threads)

    def embed(self, table: torch.Tensor, tokens: torch.Tensor) -> None:
        """Have the embeddings of tokens in the residual stream, a row for each."""
        rows = self.program.state[p.ROWS] = len(tokens)
        self._builder.hidden[:rows, : table.shape[1]] = torch.nn.functional.embedding(tokens, table)

    def run(self, first: int, last: int) -> None:
        """Run a part of the program."""
        self._machine.reserve(self._builder.scratch_for(self.program.state))
        self._machine.run(self.program, first, last)

    def logits_of_last(self, first: int, vocabulary: int) -> torch.Tensor:
        """Logits of the residual stream's last row, [1, vocabulary], which the program's end from `first` on makes."""
        hidden, state = self._builder.hidden, self.program.state
        hidden[0] = hidden[int(state[p.ROWS]) - 1]
        state[p.ROWS] = 1
        self.run(first, len(self.program))
        return self.logits(1, vocabulary)

    def logits(self, rows: int, vocabulary: int) -> torch.Tensor:
        """A copy of the logits of the first rows, [rows, vocabulary]."""
        return self._builder.logits[:rows, :vocabulary].clone()
