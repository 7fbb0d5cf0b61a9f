"""Answers that were given already, so that the same question costs nothing; those who ask it meanwhile share one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, TypeVar

import attrs
from cachetools import LRUCache

from llmstep.catalog.model_key import ModelKey
from llmstep.catalog.template import PromptTemplate
from llmstep.engine.interface import Generation
from llmstep.errors import CancelledError
from llmstep.progress import Progress, ProgressSink, silent, since
from llmstep.types import PromptInput, SamplingParams

T = TypeVar("T")


@attrs.define(eq=False)
class _Flight:
    """Work under way, and a listener for each who waits for it."""

    task: asyncio.Task[Any] = attrs.field(init=False)
    listeners: list[ProgressSink] = attrs.field(factory=list)

    def progress(self, update: Progress) -> None:
        for progress in tuple(self.listeners):
            progress(update)


class Answers:
    """The answers used last, at most `capacity` of them, and the work under way; belongs to one asyncio loop."""

    def __init__(self, capacity: int = 512) -> None:
        self._known: LRUCache[Hashable, Generation] = LRUCache(capacity)
        self._flights: dict[Hashable, _Flight] = {}
        self._closed = False

    def known(self, key: Hashable) -> Generation | None:
        """A copy of an answer in memory, marked as one that cost nothing."""
        answer = self._known.get(key)
        return answer and attrs.evolve(answer, candidates=list(answer.candidates), elapsed_ms=0.0, cached=True)

    async def answer(
        self,
        key: Hashable,
        work: Callable[[ProgressSink], Coroutine[Any, Any, Generation]],
        progress: ProgressSink = silent,
        *,
        started: float,
    ) -> Generation:
        """The answer to a question: from memory, or what `work` returns, which is remembered; raises as `join`."""

        async def remembered(progress: ProgressSink) -> Generation:
            made = self._known[key] = await work(progress)
            return made

        answer = self.known(key)
        if answer is None:
            answer = await self.join(key, remembered, progress)
        return attrs.evolve(answer, candidates=list(answer.candidates), elapsed_ms=since(started))

    async def join(
        self, key: Hashable, work: Callable[[ProgressSink], Coroutine[Any, Any, T]], progress: ProgressSink = silent
    ) -> T:
        """What `work` returns, done once for all who ask at the same time; cancelled when all of them have gone.

        Raises:
            CancelledError: `close` was called.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            flight.task = asyncio.create_task(work(flight.progress))
            flight.task.add_done_callback(partial(self._forget, key, flight))
        flight.listeners.append(progress)
        try:
            done: T = await asyncio.shield(flight.task)
            return done
        except asyncio.CancelledError:
            if self._closed and flight.task.cancelled():
                raise CancelledError("The engine was closed.", hint="Start llmstep again.") from None
            raise
        finally:
            flight.listeners.remove(progress)
            if not flight.listeners and not flight.task.done():
                self._forget(key, flight)
                flight.task.cancel()
                await asyncio.gather(flight.task, return_exceptions=True)  # the request is closed when this returns

    async def close(self) -> None:
        self._closed = True
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, key: Hashable, flight: _Flight, *_: object) -> None:
        if self._flights.get(key) is flight:  # the same question from now on is another flight
            del self._flights[key]


def answer_key(
    model: ModelKey, template: PromptTemplate, prompt_input: PromptInput, sampling: SamplingParams
) -> Hashable:
    """What an answer depends on.

    The uncut texts for prompts and decoder contain exactly what the template uses of goal, context, declaration and
    proof; the prefix is there as typed, since it is part of every answer, and the goal where its names are. A hash
    stands for the texts, which may be as long as a file.
    """
    prompts = [each.prompt(prompt_input) for each, _ in template.draws(prompt_input, sampling.count)]
    names = prompt_input.goal.text if template.plain_names else ""
    texts = hashlib.sha256()
    for text in (*prompts, template.decoder_text(prompt_input), prompt_input.prefix, names):
        texts.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return (model, template, texts.digest(), sampling)
