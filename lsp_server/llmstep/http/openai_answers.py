"""Answers in OpenAI's forms: whole, and in events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from llmstep.engine.interface import Completion, Written
    from llmstep.http.openai_requests import OpenAiRequest


@attrs.frozen
class Form:
    """The form of the answers to one request."""

    request: OpenAiRequest
    id: str
    created: int
    model: str

    def whole(self, made: Completion) -> dict[str, Any]:
        """The answer in one piece."""
        kind = "chat.completion" if self.request.chat else "text_completion"
        choices = [self._choice(number, each, streamed=False) for number, each in enumerate(made.written)]
        return {**self._head(kind), "choices": choices, "usage": self._usage(made)}

    def chunks(self, number: int, written: Written) -> list[dict[str, Any]]:
        """The events for a sample, which comes in one piece; in a chat its role comes before it."""
        kind = "chat.completion.chunk" if self.request.chat else "text_completion"
        choice = self._choice(number, written, streamed=True)
        if not self.request.chat:
            return [{**self._head(kind), "choices": [choice]}]
        role = {"index": number, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
        end = {"index": number, "delta": {}, "logprobs": None, "finish_reason": choice["finish_reason"]}
        parts = [role, {**choice, "finish_reason": None}, end]
        return [{**self._head(kind), "choices": [part]} for part in parts]

    def usage(self, made: Completion) -> dict[str, Any]:
        """The event with the numbers of tokens."""
        kind = "chat.completion.chunk" if self.request.chat else "text_completion"
        return {**self._head(kind), "choices": [], "usage": self._usage(made)}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _usage(self, made: Completion) -> dict[str, int]:
        drawn = sum(each.drawn for each in made.written)
        return {
            "prompt_tokens": made.prompt_tokens,
            "completion_tokens": drawn,
            "total_tokens": made.prompt_tokens + drawn,
        }

    def _choice(self, number: int, written: Written, *, streamed: bool) -> dict[str, Any]:
        said: dict[str, Any]
        if not self.request.chat:
            said = {"text": written.text}
        elif streamed:
            said = {"delta": {"content": written.text}}
        else:
            said = {"message": {"role": "assistant", "content": written.text, "refusal": None}}
        logprobs = self._logprobs(written) if self.request.logprobs else None
        return {"index": number, **said, "logprobs": logprobs, "finish_reason": written.finish}

    def _logprobs(self, written: Written) -> dict[str, Any]:
        if self.request.chat:
            content = [
                {"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": []}
                for text, logprob in written.tokens
            ]
            return {"content": content, "refusal": None}
        offsets = []
        place = 0
        for text, _ in written.tokens:
            offsets.append(place)
            place += len(text)
        return {
            "tokens": [text for text, _ in written.tokens],
            "token_logprobs": [logprob for _, logprob in written.tokens],
            "top_logprobs": None,
            "text_offset": offsets,
        }


def event(content: dict[str, Any] | str) -> bytes:
    """One event of a stream."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return f"data: {text}\n\n".encode()
