"""What compiled networks have in common: steps of samples behind a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.engine.compiled import program as p

if TYPE_CHECKING:
    import torch

    from llmstep.engine.compiled.caches import OwnCache
    from llmstep.engine.compiled.runner import Runner


class CompiledNetwork:
    """A `Network` without its reading of prompts."""

    _runner: Runner
    _own: OwnCache
    _embed: torch.Tensor
    """Embeddings, [vocabulary, hidden]."""
    _step_part: tuple[int, int]
    """Where the program's operations of a step begin and end."""
    _vocabulary: int
    """Tokens that the model has logits of."""
    _ids: list[int]
    """What was read last."""

    def forget(self) -> None:
        self._ids = []

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        runner = self._runner
        runner.embed(self._embed, tokens)
        runner.run(*self._step_part)
        runner.program.state[p.OWN] += 1
        return runner.logits(len(tokens), self._vocabulary)

    def drop(self, moves: list[tuple[int, int]], left: int) -> None:
        self._own.drop(moves)
