"""What servers answer, as raw samples.

Four protocols (OpenAI's completions and chat, llama.cpp's, Ollama's) in two forms (whole, or as events of a stream) and
with several notations of log-probabilities; some servers mix them, so that each is recognised by what is there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import attrs

from llmstep.catalog.cleaning import has_thought, without_thought
from llmstep.engine.postprocess import RawSample
from llmstep.engine.remote.questions import Question
from llmstep.engine.remote.refusals import message_of
from llmstep.errors import RemoteError
from llmstep.strict_json import loads

_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
"""Fields in which servers send a thought."""
_LIMITS = ("length", "limit", "max_tokens", "max_output_tokens", "model_length")
"""How servers say that the limit of tokens ended a sample."""
_MAX_CHOICES = 1024
_MAX_SAMPLE = 1 << 18
"""Characters of a step, whose limit of tokens is the server's business; the longest has 4096 of them."""
_SLACK = 64
"""Pieces that may come beyond the limit of tokens before a sample counts as one without end."""
_PER_TOKEN = 16
"""Characters that a token has at most on average; a server may send several tokens in a piece."""


@attrs.define
class _Choice:
    """One sample while it comes."""

    text: str = ""
    thought: str = ""
    """What was sent as a thought."""
    logprobs: list[float | None] = attrs.field(factory=list)
    pieces: int = 0
    thoughts: int = 0
    """Pieces of the thought."""
    spoken: int = 0
    """Pieces behind a thought, as far as they were counted."""
    ends: int = 0
    """How often the server said that it has ended."""
    ended: bool = False
    """By the server's word."""
    stopped: bool = False
    """By a stop in its text, which the server did not obey."""
    cut: bool = False
    """The limit of tokens ended it."""

    def sample(self, counted: int) -> RawSample:
        """What came; `counted` are its tokens, where the server told their number."""
        known = [each for each in self.logprobs if each is not None and math.isfinite(each)]
        score = sum(known) if known and len(known) == len(self.logprobs) else None
        tokens = len(self.logprobs) or counted or self.pieces + self.thoughts
        return RawSample(self.text, score, tokens, thought=self.thought, cut=self.cut)


@attrs.define(eq=False)
class Incoming:
    """The samples of one request while they come."""

    question: Question
    wanted: int
    """Their number."""
    _counted: int = 0
    _choices: dict[int, _Choice] = attrs.field(factory=dict)

    @property
    def steps(self) -> int:
        """Number of tokens of the longest sample so far, as near as the server lets one know."""
        return max((max(len(each.logprobs), each.pieces + each.thoughts) for each in self._choices.values()), default=0)

    @property
    def enough(self) -> bool:
        """Whether what still comes is of no use, because of stops that the server does not obey."""
        over = len(self._choices) >= self.wanted and not self.cut
        return over and not all(each.ended for each in self._choices.values())

    @property
    def mixed(self) -> bool:
        """Whether several samples came under one number, as from gateways that number all of them 0."""
        return self.wanted > 1 and len(self._choices) == 1 and next(iter(self._choices.values())).ends > 1

    @property
    def cut(self) -> bool:
        """Whether the answer, when nothing more comes, is not whole."""
        return not self._choices or not all(each.ended or each.stopped for each in self._choices.values())

    def samples(self) -> list[RawSample]:
        counted = self._counted if len(self._choices) == 1 else 0
        return [choice.sample(counted) for _, choice in sorted(self._choices.items())]

    def event(self, line: str) -> None:
        """Take a line of a stream of events; raises as `whole`."""
        data = line if line.startswith("{") else line.removeprefix("data:").strip()  # Ollama's lines are JSON alone
        if data == "[DONE]":
            for choice in self._choices.values():
                choice.ended = True
        elif data and line.startswith(("data:", "{")):  # else an empty line, a comment, the name of an event
            self.whole(data, ended=False)

    def whole(self, body: str | bytes, *, ended: bool = True) -> None:
        """Take an object with choices: a whole answer, or one of a stream.

        Raises:
            UNREADABLE: It is not what the protocol says.
            RemoteError: It is an error of the server.
        """
        raw = loads(body)
        if raw.get("error"):
            raise RemoteError(f"The server failed: {message_of(raw['error'])[:200]}.", hint="See its log.")
        for place, each in enumerate(_choices(raw)):
            choice = self._choices.setdefault(place if ended else int(each.get("index") or 0), _Choice())
            self._take(choice, each, ended)
        usage = raw.get("usage") or {}
        self._counted = int(raw.get("eval_count") or usage.get("completion_tokens") or self._counted)

    def _take(self, choice: _Choice, raw: dict[str, Any], ended: bool) -> None:
        end = raw.get("finish_reason")
        choice.ends += bool(end)
        over = choice.ended or choice.stopped
        choice.ended |= ended or bool(end)
        if over:
            return
        message = raw.get("delta") or raw.get("message") or {}
        text = str((raw["text"] if "text" in raw else message.get("content")) or "")
        thought = str(next((said for said in (message.get(name) for name in _THOUGHTS) if said), ""))
        choice.cut |= end in _LIMITS
        stops, step_tokens = self.question.stops, self.question.step_tokens
        searched = max(0, len(choice.text) - max(map(len, stops), default=0))
        choice.text += text
        choice.thought += thought
        choice.pieces += bool(text)
        choice.thoughts += bool(thought)
        endless = self._is_endless(choice)
        if (endless and self.question.scored) or len(self._choices) > _MAX_CHOICES:
            raise ValueError("too long")
        # Not every server obeys stops and limits.
        choice.stopped = bool(text) and any(choice.text.find(stop, searched) >= 0 for stop in stops)
        if not ended and (endless or (text and step_tokens and self._is_too_long(choice))):
            choice.stopped = choice.cut = True
        if text or not thought:  # a thought's tokens say nothing about the step
            choice.logprobs += _logprobs(raw.get("logprobs"))

    def _is_endless(self, choice: _Choice) -> bool:
        length = len(choice.text) + len(choice.thought)
        if self.question.scored:
            return length > _MAX_SAMPLE
        most = self.question.max_tokens
        return length > most * _PER_TOKEN or choice.pieces + choice.thoughts > most + _SLACK

    def _is_too_long(self, choice: _Choice) -> bool:
        """Whether what stands behind a thought has more pieces than a step may have tokens."""
        inside, most = self.question.in_thought, self.question.step_tokens
        if choice.pieces <= most:
            return False
        if inside or has_thought(choice.text):
            choice.spoken += bool(without_thought(choice.text, inside=inside).strip())
        else:
            choice.spoken = choice.pieces
        return choice.spoken > most


def _choices(raw: dict[str, Any]) -> Iterable[Any]:
    """The parts of an answer for one sample each, in OpenAI's notation."""
    if "completion_probabilities" in raw or "stop_type" in raw:  # llama.cpp
        end = raw.get("stop_type") if raw.get("stop") else None
        values = {"content": raw.get("completion_probabilities")}
        return [{"index": raw.get("index"), "text": raw["content"], "finish_reason": end, "logprobs": values}]
    if "done" in raw:  # Ollama
        end = (raw.get("done_reason") or "stop") if raw["done"] else None
        said = raw.get("message") or {"content": raw.get("response"), "thinking": raw.get("thinking")}
        return [{"message": said, "finish_reason": end, "logprobs": {"content": raw.get("logprobs")}}]
    return raw.get("choices") or ()


def _logprobs(raw: Any) -> list[float | None]:
    """Log-probabilities of tokens, in the notation of completions or of chat."""
    if not isinstance(raw, dict):
        return []
    values = raw.get("token_logprobs")
    if values is None:
        values = [each.get("logprob") for each in raw.get("content") or ()]
    return [None if value is None else float(value) for value in values]
