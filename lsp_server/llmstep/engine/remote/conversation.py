"""One answer in a conversation with a server: OpenAI's chat, or Ollama's own, whose context can be made long enough.

The answer comes as a stream, so that it can be ended: by whoever waits for it, and where it goes on far beyond what
was asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from llmstep.engine.conversation import Answer
from llmstep.engine.remote.connection import persistently
from llmstep.engine.remote.draws import refused_field
from llmstep.engine.remote.questions import tokens
from llmstep.engine.remote.refusals import Passing, StatusError, message_of
from llmstep.errors import RemoteError
from llmstep.progress import ProgressSink, generating, silent
from llmstep.strict_json import JsonError, loads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstep.engine.conversation import Turn
    from llmstep.engine.remote.connection import Connection
    from llmstep.types import SamplingParams

_THOUGHTS: Final = ("reasoning_content", "reasoning", "thinking")
"""Fields that servers give a thought in."""
_SLACK: Final = 64
"""Pieces that may come beyond the limit before an answer counts as one without end."""
_PER_TOKEN: Final = 16
"""Characters that a token has at most on average; a server may send several tokens in a piece."""


@attrs.frozen
class Speech:
    """A conversation to go on with."""

    model: str
    turns: Sequence[Turn]
    sampling: SamplingParams
    path: str = "/chat/completions"
    ollama: bool = False
    """The path is that of Ollama's own protocol."""

    def body(self, without: frozenset[str]) -> dict[str, Any]:
        """The request, without the fields that the server does not take."""
        sampling = self.sampling
        messages = [{"role": role, "content": said} for role, said in self.turns]
        seed = {} if sampling.seed is None else {"seed": sampling.seed}
        if self.ollama:
            length = sum(tokens(said) for _, said in self.turns) + sampling.max_new_tokens
            options: dict[str, Any] = {"num_predict": sampling.max_new_tokens, "num_ctx": length, **seed}
            options |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
            return {"model": self.model, "messages": messages, "stream": True, "options": options}
        limit = "max_completion_tokens" if "max_tokens" in without else "max_tokens"
        body: dict[str, Any] = {"model": self.model, "messages": messages, "stream": True, **seed}
        body |= {limit: sampling.max_new_tokens, "temperature": sampling.temperature, "top_p": sampling.top_p}
        return {name: value for name, value in body.items() if name not in without}


async def converse(connection: Connection, speech: Speech, progress: ProgressSink = silent) -> Answer:
    """The server's answer.

    Args:
        progress: Called with the number of pieces so far, about one a token.

    Raises:
        StatusError: The server refuses the request.
        LlmstepError: The server cannot be reached, or its answer is of no use.
    """
    without: frozenset[str] = frozenset()
    while True:
        body = speech.body(without)
        try:
            return await persistently(lambda body=body: _once(connection, speech, body, progress))  # type: ignore[misc]
        except StatusError as error:
            field = refused_field(error, body)
            if field is None:
                raise
            without |= {field}


async def _once(connection: Connection, speech: Speech, body: dict[str, Any], progress: ProgressSink) -> Answer:
    heard = _Heard(speech.sampling.max_new_tokens)
    try:
        async with connection.stream("POST", speech.path, body) as response:
            kind = response.headers.get("content-type", "")
            if "text/event-stream" in kind or "ndjson" in kind:
                async for line in connection.lines(response):
                    heard.line(line)
                    progress(generating(heard.pieces, speech.sampling.max_new_tokens))
                    if heard.endless:
                        break
            else:
                heard.take(await connection.whole(response), whole=True)
    except JsonError:
        raise Passing(connection.unreadable()) from None
    except RemoteError as error:
        raise Passing(RemoteError(connection.place.shown(error.message), hint=error.hint)) from None
    if not heard.ended and not heard.endless:
        raise Passing(connection.broken_off())
    return heard.answer(speech.model)


class _Heard:
    """An answer while it comes.

    Args:
        maximum: Tokens that were asked for.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._parts: list[str] = []
        self._thought: list[str] = []
        self._length = 0
        self._finish = ""
        self._counted = 0
        self.pieces = 0
        self.ended = False

    @property
    def endless(self) -> bool:
        """Whether it is far longer than was asked for."""
        return not self.ended and (self.pieces > self._maximum + _SLACK or self._length > self._maximum * _PER_TOKEN)

    def line(self, line: str) -> None:
        """Take a line of a stream: an event, or JSON alone."""
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            self.ended = True
        elif line.startswith(("data:", "{")) and data:
            self.take(data)

    def take(self, body: str | bytes, *, whole: bool = False) -> None:
        """Take a part of the answer, or all of it.

        Raises:
            JsonError: It is not what the protocol says.
            RemoteError: It is an error of the server.
        """
        raw = loads(body)
        if not isinstance(raw, dict):
            raise JsonError("no object")
        if raw.get("error"):
            raise RemoteError(f"The server failed: {message_of(raw['error'])[:200]}.", hint="See its log.")
        choices = raw.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else raw
        said = choice.get("delta") or choice.get("message") if isinstance(choice, dict) else None
        if isinstance(said, dict):
            self._hear(self._parts, said.get("content"))
            self._hear(self._thought, next((said[name] for name in _THOUGHTS if said.get(name)), None))
        elif whole:
            raise JsonError("no choices")
        self._note_end(choice if isinstance(choice, dict) else {}, raw)
        self.ended = self.ended or whole

    def _hear(self, parts: list[str], text: object) -> None:
        if isinstance(text, str) and text:
            parts.append(text)
            self.pieces += 1
            self._length += len(text)

    def _note_end(self, choice: dict[str, Any], raw: dict[str, Any]) -> None:
        finish = choice.get("finish_reason") or (raw.get("done") and (raw.get("done_reason") or "stop"))
        if finish:
            self._finish, self.ended = str(finish), True
        usage = raw.get("usage")
        counted = usage.get("completion_tokens") if isinstance(usage, dict) else raw.get("eval_count")
        if isinstance(counted, int) and not isinstance(counted, bool) and counted > 0:
            self._counted = counted

    def answer(self, model: str) -> Answer:
        cut = self._finish == "length" or not self.ended
        tokens = self._counted or self.pieces
        return Answer("".join(self._parts), "length" if cut else "stop", tokens, model, "".join(self._thought))
