"""The samples of one request while they are drawn: their tokens, scores and ends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from llmstep.decoder.interface import Continuation, SamplingParams, Tokenizer

_HEAD = 32
"""First tokens of a sample that say whether it has a lead."""
_ANCHOR = 16
"""Tokens before the new ones that may decide how these are written."""


@dataclass
class _Row:
    """One sample while it is drawn."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    reason: Literal["end", "stop", "length", ""] = ""
    lead: int | None = None
    """Tokens of the lead, as soon as it has ended."""


class Rows:
    """Samples that are drawn side by side.

    Args:
        before: Tokens that stand before the new ones where they are written.
    """

    def __init__(
        self, tokenizer: Tokenizer, end_ids: frozenset[int], before: Sequence[int], count: int, params: SamplingParams
    ) -> None:
        self._tokenizer, self._end_ids, self._before, self._params = tokenizer, end_ids, before, params
        # A stop can end inside the newest token and every token before it may hold as little as one byte of it.
        texts = (*params.stop, *(params.lead.ends if params.lead else ()))
        self._tail = max((len(text.encode()) for text in texts), default=0) + 1
        self._rows = [_Row() for _ in range(count)]

    def take(self, rows: Iterable[int], tokens: Iterable[int], logprobs: Iterable[float]) -> list[int]:
        """Add a token to each of `rows`; those that have ended stay as they are.

        Returns:
            Those that this has finished.

        Raises:
            ArithmeticError: The model's logits are no numbers.
        """
        finished = []
        for number, token, logprob in zip(rows, tokens, logprobs, strict=True):
            row = self._rows[number]
            if row.reason:
                continue
            if math.isnan(logprob):
                raise ArithmeticError("its logits are not numbers")
            row.tokens.append(token)
            row.logprobs.append(logprob)
            if token in self._end_ids:
                row.reason = "end"
            elif self._has_written(row, self._params.stop):
                row.reason = "stop"
            elif self._full(row):
                row.reason = "length"
            if row.reason:
                finished.append(number)
        return finished

    def _has_written(self, row: _Row, texts: tuple[str, ...]) -> bool:
        """Whether one of some texts is where a sample ends, except for what its last token adds."""
        tail = decoded(self._tokenizer, row.tokens[-self._tail :]) if texts else ""
        return any(text in tail for text in texts)

    def _full(self, row: _Row) -> bool:
        lead, count = self._params.lead, len(row.tokens)
        if lead is None or row.lead is not None:
            return count - (row.lead or 0) >= self._params.max_tokens
        if self._has_written(row, lead.ends):
            row.lead = count
            return False
        if count < min(lead.max_tokens, self._params.max_tokens):
            return False
        head = decoded(self._tokenizer, row.tokens[:_HEAD]).lstrip()
        inside = not lead.begins or any(each.startswith(head) or head.startswith(each) for each in lead.begins)
        return count >= (lead.max_tokens if inside else self._params.max_tokens)

    def ended(self, number: int) -> bool:
        return bool(self._rows[number].reason)

    def sample(self, number: int) -> Continuation:
        """A sample, as far as it was drawn."""
        row = self._rows[number]
        kept = row.tokens[:-1] if row.reason == "end" else row.tokens
        text = written(self._tokenizer, self._before, kept)
        return Continuation(tuple(row.tokens), tuple(row.logprobs), text, row.reason or "length")


def written(tokenizer: Tokenizer, before: Sequence[int], new: Sequence[int]) -> str:
    """The text that new tokens add behind others.

    Decoded alone, new tokens can lose the blank in front of their first word (tokenizers in SentencePiece style strip
    it), so they are decoded behind the end of what is before them. Special tokens are shown, for stops to be found.
    """
    anchor = list(before[-_ANCHOR:])
    known = decoded(tokenizer, anchor)
    text = decoded(tokenizer, [*anchor, *new])
    return text[len(known) :] if text.startswith(known) else decoded(tokenizer, list(new))


def decoded(tokenizer: Tokenizer, tokens: list[int]) -> str:
    return tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
