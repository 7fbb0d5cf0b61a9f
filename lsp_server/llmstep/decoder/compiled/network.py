"""What compiled networks have in common: one program, the threads that run it, and steps of samples behind a prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmstep.decoder.compiled import program as p
from llmstep.decoder.compiled.builder import Builder
from llmstep.decoder.compiled.caches import OwnCache, PromptCache
from llmstep.decoder.compiled.machine import Machine
from llmstep.decoder.compiled.parts import NOT_ROTATED, Angles, Block, Norm
from llmstep.decoder.interface import stop_if

if TYPE_CHECKING:
    from llmstep.decoder.source import Embedding, Source


class CompiledNetwork:
    """A `Network` without its reading of prompts.

    Args:
        source: Has given all products, the last one as `head`.
        blocks: Those that samples go through.
        floats: Whether all weights are float32; the keys and values of a prompt have 16 bits where they are not.
    """

    _head_part: int
    """Where the operations of the logits begin, which end the program."""
    _step_part: tuple[int, int]
    """Where the program's operations of a step begin and end."""
    _ids: list[int]
    """What was read last."""

    def __init__(self, source: Source, embed: Embedding, blocks: Sequence[Block], *, floats: bool) -> None:
        self._embed, self._head, heads = embed, source.products["head"], blocks[0].heads
        self.shapes = {name: (each.outputs, each.inputs) for name, each in source.products.items()}
        self._program = program = p.Program()
        self._state = program.state
        self._state[p.UNIT] = 4 if floats else 2
        widest = max(each.outputs for name, each in source.products.items() if name != "head")
        attended = heads.heads * heads.width
        self._builder = Builder(program, embed.width, widest, attended, self._head.outputs, floats=floats)
        self._prompt = PromptCache(program, len(blocks), heads.key_heads, heads.width, p.ROOM, p.LENGTH)
        self._own = OwnCache(program, len(blocks), heads.key_heads, heads.width, p.MOST, p.LONGEST, p.OWN)
        self._machine = Machine(1)
        self.threads = 1
        self.forget()

    def _write(
        self,
        blocks: Sequence[Block],
        last: Norm,
        angles: Angles = NOT_ROTATED,
        cross: PromptCache | None = None,
        biases: int = 0,
    ) -> None:
        """Write the blocks for the tokens of a prompt, then for samples, and the head."""
        write, parts = self._builder, []
        for owns in (None, self._own.layers):
            for number, block in enumerate(blocks):
                part = write.block(
                    block,
                    self._prompt.layers[number],
                    angles,
                    own=None if owns is None else owns[number],
                    cross=None if cross is None else cross.layers[number],
                    biases=biases,
                    max_distance=p.REACH if biases else p.ZERO,
                )
                parts.append(part)
        self._prompt_parts, (start, _) = parts[: len(blocks)], parts[len(blocks)]
        self._head_part = len(self._program)
        write.norm(last)
        write.product(self._head, "logits")
        self._step_part = start, len(self._program)

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

    def _run_all(self, parts: Sequence[tuple[int, int]], cancel: Callable[[], bool]) -> None:
        for part in parts:
            stop_if(cancel)
            self._run(*part)

    def _read(self, tokens: Sequence[int], start: int, cancel: Callable[[], bool]) -> None:
        """Read tokens of a prompt behind its first `start` ones."""
        self._put(tokens)
        self._state[p.START], self._state[p.LENGTH] = start, start + len(tokens)
        self._run_all(self._prompt_parts, cancel)

    def _last_logits(self) -> NDArray[np.float32]:
        """Logits of the residual stream's last row, [1, vocabulary]."""
        hidden = self._builder.hidden
        hidden[0] = hidden[int(self._state[p.ROWS]) - 1]
        self._state[p.ROWS] = 1
        self._run(self._head_part, len(self._program))
        return self._logits(1)

    def _logits(self, rows: int) -> NDArray[np.float32]:
        """A copy of the logits of the first rows, [rows, vocabulary]."""
        return np.array(self._builder.logits[:rows, : self._head.outputs])


def read_norm(source: Source, name: str, width: int, epsilon: float) -> Norm:
    """The norm of a name; one without a bias is an RMS norm."""
    bias = source.vector(f"{name}.bias", width) if source.has(f"{name}.bias") else None
    return Norm(source.vector(f"{name}.weight", width), bias, epsilon)
