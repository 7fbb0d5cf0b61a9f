"""Samples from a server that may not do all that is asked.

Many servers ignore the number of samples or refuse fields that they do not know. What one cannot do is learnt from its
answers and remembered in `Abilities`.
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
class Abilities:
    """What one server does with one model, as far as is known."""

    pages: tuple[Page, ...] = ()
    """Those that it may have, the best first; one where that is known."""
    without: frozenset[str] = frozenset()
    """Fields that it refuses."""
    one_by_one: bool = False
    """It gives one sample a request."""
    max_samples: int = 1 << 20
    """Most samples that it takes in one request."""
    budget: int = 1 << 20
    """Most tokens of a prompt, by our estimate."""


@attrs.frozen
class Draw:
    """Samples of one question.

    Args:
        abilities: What the server is known to do; what its answers teach is added.
        progress: Called with the number of tokens of the longest sample so far, about.
    """

    connection: Connection
    question: Question
    abilities: Abilities
    progress: ProgressSink

    async def samples(self) -> list[RawSample]:
        """As many samples as the question wants, in the order drawn; one when the temperature is 0.

        Raises:
            StatusError: The server refuses the request.
            LlmstepError: The server cannot be reached, or its answer is of no use.
        """
        sampling, abilities = self.question.sampling, self.abilities
        count = sampling.count if sampling.temperature > 0 else 1
        samples: list[RawSample] = []
        while len(samples) < count:
            missing = min(count - len(samples), abilities.max_samples)
            if abilities.one_by_one:
                got = await self._together(range(len(samples), len(samples) + min(missing, _AT_ONCE)))
            else:
                got = await self._request(missing, len(samples))
                abilities.one_by_one |= len(got) < min(missing, abilities.max_samples)
            if not got:
                raise self.connection.unreadable()
            samples += got
        return samples[:count]

    async def _together(self, numbers: range) -> list[RawSample]:
        """One sample for each number, asked at the same time."""
        tasks = [asyncio.ensure_future(self._request(1, number)) for number in numbers]
        try:
            return [sample for part in await asyncio.gather(*tasks) for sample in part]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _request(self, count: int, number: int) -> list[RawSample]:
        """The samples of one request, without the fields that the server refuses.

        Args:
            number: That of the first sample, which makes its seed another one.
        """
        seed, abilities = self.question.sampling.seed, self.abilities
        while True:
            wanted = 1 if abilities.one_by_one else min(count, abilities.max_samples)
            body = self.question.body(wanted, None if seed is None else seed + number, abilities.without)
            try:
                got = await persistently(partial(self._once, body, wanted))
            except StatusError as error:
                field = _refused_field(error, body)
                if field is None:
                    raise
                named = max(map(int, _AT_MOST.findall(error.said)), default=0)
                if field == "n" and 1 < named < wanted:
                    abilities.max_samples = named
                    continue
                abilities.without |= {field}
                abilities.one_by_one |= field == "n"
            else:
                if got is not None:
                    return got
                abilities.one_by_one = True

    async def _once(self, body: object, wanted: int) -> list[RawSample] | None:
        """The samples of one answer; None where they cannot be separated."""
        connection, question = self.connection, self.question
        maximum = 0 if question.scored else question.max_tokens
        incoming = Incoming(wanted, question.stops, question.step_tokens, inside=question.in_thought, maximum=maximum)
        try:
            async with connection.stream("POST", question.page.path, body) as response:
                kind = response.headers.get("content-type", "")
                if "text/event-stream" in kind or "ndjson" in kind:
                    async for line in connection.lines(response):
                        incoming.event(line)
                        if incoming.steps:
                            self.progress(generating(incoming.steps, question.sampling.max_new_tokens))
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


async def draw_steps(
    connection: Connection,
    model: str,
    template: PromptTemplate,
    prompt_input: PromptInput,
    sampling: SamplingParams,
    abilities: Abilities,
    progress: ProgressSink,
) -> tuple[int, list[RawSample]]:
    """The number of samples drawn, and those that continue the prefix.

    They come from a page that the server has, for a prompt that is short enough for it; raises as `Draw.samples`.
    """
    pages = abilities.pages
    while True:
        budget = min(abilities.budget, template.max_prompt_tokens)
        question = next_step(model, pages[0], template, prompt_input, sampling, budget)
        try:
            samples = await Draw(connection, question, abilities, progress).samples()
        except StatusError as error:
            if too_long(error) and budget // 2 >= _LEAST_BUDGET:
                abilities.budget = budget // 2
            elif error.status in (404, 405) and len(pages) > 1:
                pages = pages[1:]
            else:
                raise
        else:
            abilities.pages = pages[:1]
            prefix = prompt_input.prefix.strip() if is_chat(pages[0], template) else ""
            return len(samples), continuing(template, prefix, samples) if prefix else samples


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
