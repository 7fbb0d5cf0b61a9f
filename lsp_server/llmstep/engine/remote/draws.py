"""Samples from a server that may not do all that is asked.

Many servers ignore the number of samples or refuse fields that they do not know. What one cannot do is learnt from its
answers and remembered.
"""

from __future__ import annotations

import asyncio
import re
from functools import partial

import attrs

from llmstep.catalog.template import PromptTemplate
from llmstep.engine.postprocess import RawSample
from llmstep.engine.remote.connection import UNREADABLE, Connection, persistently
from llmstep.engine.remote.questions import Page, Question, continuing, is_chat, next_step
from llmstep.engine.remote.refusals import Passing, StatusError
from llmstep.engine.remote.samples import Incoming
from llmstep.errors import RemoteError
from llmstep.progress import ProgressSink, generating
from llmstep.types import PromptInput, SamplingParams

_AT_ONCE = 4
"""Requests at a time to a server that gives one sample a request."""
_LEAST_BUDGET = 256
_OPTIONAL = (
    *("chat_template_kwargs", "reasoning_effort", "think", "generation_config", "logprobs"),
    *("seed", "top_p", "stop", "n", "temperature", "max_tokens"),
)
"""Fields that a request may do without, in the order in which they are given up."""
_ONE_CHOICE = re.compile(r"only one\b.*\bchoice", re.IGNORECASE)
_AT_MOST = re.compile(  # the largest number of samples that a refusal names
    r"(?:<=|at most|less than or equal to|no more than|maximum(?: of)?|up to|and)\s*(\d+)", re.IGNORECASE
)
_TOO_LONG = re.compile(
    r"context (length|size|window)|maximum.*tokens|too (long|many tokens|large)|exceed", re.IGNORECASE
)


@attrs.define
class Draws:
    """Samples of one model of a server, and what it does, as far as its answers have taught."""

    connection: Connection
    model: str
    pages: tuple[Page, ...] = ()
    """Those that it may have, the best first; one where that is known."""
    _without: frozenset[str] = frozenset()
    """Fields that it refuses."""
    _one_by_one: bool = False
    """It gives one sample a request."""
    _max_samples: int = 1 << 20
    """Most samples that it takes in one request."""
    _budget: int = 1 << 20
    """Most tokens of a prompt, by our estimate."""

    async def steps(
        self, template: PromptTemplate, prompt_input: PromptInput, sampling: SamplingParams, progress: ProgressSink
    ) -> tuple[int, list[RawSample]]:
        """The number of samples drawn, and those that continue the prefix; raises as `samples`."""
        pages = self.pages
        while True:
            budget = min(self._budget, template.max_prompt_tokens)
            question = next_step(self.model, pages[0], template, prompt_input, sampling, budget)
            try:
                samples = await self.samples(question, progress)
            except StatusError as error:
                if too_long(error) and budget // 2 >= _LEAST_BUDGET:
                    self._budget = budget // 2
                elif error.status in (404, 405) and len(pages) > 1:
                    pages = pages[1:]
                else:
                    raise
            else:
                self.pages = pages[:1]
                prefix = prompt_input.prefix.strip() if is_chat(pages[0], template) else ""
                return len(samples), continuing(template, prefix, samples) if prefix else samples

    async def samples(self, question: Question, progress: ProgressSink) -> list[RawSample]:
        """As many samples as the question wants, in the order drawn; one when the temperature is 0.

        Args:
            progress: Called with the number of tokens of the longest sample so far, about.

        Raises:
            StatusError: The server refuses the request.
            LlmstepError: The server cannot be reached, or its answer is of no use.
        """
        ask = partial(self._request, question, progress)
        count = question.sampling.count if question.sampling.temperature > 0 else 1
        samples: list[RawSample] = []
        while len(samples) < count:
            first, missing = len(samples), min(count - len(samples), self._max_samples)
            if self._one_by_one:
                tasks = [asyncio.ensure_future(ask(1, first + each)) for each in range(min(missing, _AT_ONCE))]
                try:
                    got = [sample for part in await asyncio.gather(*tasks) for sample in part]
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
            else:
                got = await ask(missing, first)
                self._one_by_one |= len(got) < min(missing, self._max_samples)
            if not got:
                raise self.connection.unreadable()
            samples += got
        return samples[:count]

    async def _request(self, question: Question, progress: ProgressSink, count: int, number: int) -> list[RawSample]:
        """The samples of one request, without fields that the server refuses; its number adds to the seed."""
        seed = None if question.sampling.seed is None else question.sampling.seed + number
        while True:
            wanted = 1 if self._one_by_one else min(count, self._max_samples)
            body = question.body(wanted, seed, self._without)
            try:
                got = await persistently(partial(_answer, self.connection, question, body, wanted, progress))
            except StatusError as error:
                field = _refused_field(error, body)
                if field is None:
                    raise
                named = max(map(int, _AT_MOST.findall(error.said)), default=0)
                if field == "n" and 1 < named < wanted:
                    self._max_samples = named
                    continue
                self._without |= {field}
                self._one_by_one |= field == "n"
            else:
                if got is not None:
                    return got
                self._one_by_one = True


async def _answer(
    connection: Connection, question: Question, body: object, wanted: int, progress: ProgressSink
) -> list[RawSample] | None:
    """The samples of one answer; None where they cannot be separated."""
    incoming = Incoming(question, wanted)
    try:
        async with connection.stream("POST", question.page.path, body) as response:
            kind = response.headers.get("content-type", "")
            if "text/event-stream" in kind or "ndjson" in kind:
                async for line in connection.lines(response):
                    incoming.event(line)
                    if incoming.steps:
                        progress(generating(incoming.steps, question.sampling.max_new_tokens))
                    if incoming.enough:
                        break
            else:
                incoming.whole(await connection.whole(response))
    except UNREADABLE:
        raise Passing(connection.unreadable()) from None
    except RemoteError as error:  # the server's own words, in the midst of its answer
        raise Passing(RemoteError(connection.place.shown(error.message), hint=error.hint)) from None
    if incoming.mixed:
        return None
    if incoming.cut:
        raise Passing(connection.broken_off())
    return incoming.samples()


def _refused_field(error: StatusError, body: dict[str, object]) -> str | None:
    """The field for which a server refuses a request that it may take without; None where it is something else."""
    if error.status not in (400, 422) or too_long(error):
        return None
    if "n" in body and _ONE_CHOICE.search(error.said):
        return "n"
    named = (field for field in _OPTIONAL if field in body and re.search(rf"(?<!\w){field}(?!\w)", error.said))
    return next(named, None)


def too_long(error: StatusError) -> bool:
    """Whether the server refuses a request because of the length of its prompt."""
    return error.status in (400, 413, 422) and _TOO_LONG.search(error.said) is not None
