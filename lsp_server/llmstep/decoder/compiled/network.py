"""What compiled networks have in common: steps of samples behind a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.decoder.compiled import program as p

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from llmstep.decoder.compiled.caches import OwnCache
    from llmstep.decoder.compiled.runner import Runner
    from llmstep.decoder.embedding import Embedding


class CompiledNetwork:
    """A `Network` without its reading of prompts."""

    _runner: Runner
    _own: OwnCache
    _embed: Embedding
    _step_part: tuple[int, int]
    """Where the program's operations of a step begin and end."""
    _vocabulary: int
    """Tokens that the model has logits of."""
    shapes: dict[str, tuple[int, int]]
    _ids: list[int]
    """What was read last."""

    @property
    def threads(self) -> int:
        return self._runner.threads

    @threads.setter
    def threads(self, count: int) -> None:
        self._runner.threads = count

    def forget(self) -> None:
        self._ids = []

    def step(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        runner = self._runner
        runner.embed(self._embed, tokens)
        runner.run(*self._step_part)
        runner.program.state[p.OWN] += 1
        return runner.logits(len(tokens), self._vocabulary)

    def drop(self, moves: list[tuple[int, int]], left: int) -> None:
        self._own.drop(moves)
