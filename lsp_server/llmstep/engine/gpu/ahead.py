"""Drawing samples while the device is a step ahead of the host.

The next step is started with tokens that the host has not seen; only then are they read, while the device is at work. A
sample that has ended goes through that step in vain, and what it would draw then is dropped before it is drawn, so that
random numbers and samples are those of `llmstep.engine.decode` where nothing runs ahead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from llmstep.engine.rows import close_gaps

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.engine.network import Network
    from llmstep.engine.prompt import EncodedPrompt
    from llmstep.engine.rows import Rows


def draw(
    network: Network,
    prompt: EncodedPrompt,
    drawer: Any,
    rows: Rows,
    longest: int,
    after_step: Callable[[list[int]], None],
    poll: Callable[[], None],
) -> None:
    """Draw all of `rows`, each until it has ended.

    Args:
        network: Waits for nothing in `step`.
        drawer: As `llmstep.engine.sampling.Drawer`.
        longest: Most tokens of a sample, as in `rows`.
        after_step: Called after every step with the numbers of the samples that have ended in it.
        poll: As in `Network.read`.
    """
    alive = list(range(rows.count))
    logits = network.read(prompt, rows.count, longest, poll)
    for number in range(1, longest + 1):
        tokens, logprobs = drawer.draw(logits, alive)
        on_their_way = Numbers(tokens, logprobs)
        if number < longest:
            logits = network.step(tokens)
        finished = rows.take(alive, *on_their_way.lists())
        after_step([alive[place] for place in finished])
        if finished:
            alive, moves = close_gaps(alive, finished)
            if not alive:
                return
            for source, target in moves:
                logits[target] = logits[source]
            logits = logits[: len(alive)]
            network.drop(moves, len(alive))


class Numbers:
    """Tensors that are copied to the host while the device goes on."""

    def __init__(self, *tensors: torch.Tensor) -> None:
        self._event: Any = None
        self._tensors = tensors
        if tensors[0].device.type == "cuda":
            # Memory that the system cannot move, else the copy would have the host wait.
            self._tensors = tuple(torch.empty(each.shape, dtype=each.dtype, pin_memory=True) for each in tensors)
            for host, each in zip(self._tensors, tensors, strict=True):
                host.copy_(each, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record(torch.cuda.current_stream(tensors[0].device))

    def lists(self) -> list[list[Any]]:
        """The numbers, as soon as they are there."""
        if self._event is not None:
            self._event.synchronize()
        return [each.tolist() for each in self._tensors]
