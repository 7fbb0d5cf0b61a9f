"""The samples of one request while they are drawn: their tokens, scores and ends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from llmstep.engine.postprocess import RawSample
from llmstep.engine.prompt import EncodedPrompt, Tokenizer, continuation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@attrs.define
class _Row:
    """One sample while it is drawn."""

    ids: list[int] = attrs.field(factory=list)
    """Tokens drawn, without the end token."""
    tokens: int = 0
    """Tokens drawn, with the end token."""
    logprob: float = 0.0
    steps: list[tuple[int, float]] = attrs.field(factory=list)
    done: bool = False


class Rows:
    """Samples that are drawn side by side.

    Args:
        tokenizer: That of the model.
        end_ids: Tokens that end a sample.
        before: Ids that stand before the new ones where they are written.
        count: Number of samples.
        stops: Texts that end a sample, as soon as it contains one of them.
        longest: Most tokens of a sample.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        end_ids: frozenset[int],
        before: Sequence[int],
        count: int,
        stops: tuple[str, ...],
        longest: int,
    ) -> None:
        self.count = count
        self._tokenizer = tokenizer
        self._end_ids = end_ids
        self._before = before
        self._stops = stops
        self._longest = longest
        # A stop can end inside the newest token and every token before it may hold as little as one byte of it.
        self._tail = max((len(stop.encode()) for stop in stops), default=0) + 1
        self._rows = [_Row() for _ in range(count)]

    def take(self, rows: Iterable[int], tokens: Iterable[int], logprobs: Iterable[float]) -> list[int]:
        """Add a token to each of `rows`; those that are done already stay as they are.

        Returns:
            Positions in `rows` of the samples that this has finished.

        Raises:
            ArithmeticError: The model's logits are no numbers.
        """
        finished = []
        for place, (number, token, logprob) in enumerate(zip(rows, tokens, logprobs, strict=True)):
            row = self._rows[number]
            if row.done:
                continue
            if math.isnan(logprob):
                raise ArithmeticError("its logits are not numbers")
            row.tokens += 1
            row.logprob += logprob
            row.steps.append((token, logprob))
            if token in self._end_ids:
                row.done = True
            else:
                row.ids.append(token)
                row.done = row.tokens >= self._longest or self._stopped(row)
            if row.done:
                finished.append(place)
        return finished

    def _stopped(self, row: _Row) -> bool:
        if not self._stops:
            return False
        tail = continuation(self._tokenizer, [], row.ids[-self._tail :])
        return any(stop in tail for stop in self._stops)

    def done(self, number: int) -> bool:
        return self._rows[number].done

    def sample(self, number: int) -> RawSample:
        """A sample as text."""
        row = self._rows[number]
        text = continuation(self._tokenizer, self._before, row.ids)
        return RawSample(text, row.logprob, row.tokens, tuple(row.steps))


def rows_for(
    tokenizer: Tokenizer,
    end_ids: frozenset[int],
    prompt: EncodedPrompt,
    count: int,
    stops: tuple[str, ...],
    longest: int,
    *,
    decoder: bool,
) -> Rows:
    """Rows for a prompt; with `decoder`, the new tokens stand behind the decoder's ids."""
    before = prompt.decoder_ids if decoder else prompt.input_ids
    return Rows(tokenizer, end_ids, before, count, stops, longest)
