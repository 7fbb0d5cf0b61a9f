"""What bodies say, found out off the event loop where they are long.

What is done with a long body before the model is asked (JSON, the layout of a file's text) takes longer than others may
wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.requests import Request

from llmstep.errors import RequestError
from llmstep.http.answers import RefusedError
from llmstep.strict_json import JsonError, loads
from llmstep.wire.reading import BODIES, field_error, kind_of

T = TypeVar("T")

SHORT = 1 << 13
"""Bytes of a body that is read at once."""
_MAX_LONG = 64
"""Most long bodies that wait to be read."""

_threads = ThreadPoolExecutor(2, thread_name_prefix="llmstep-body")
_long = asyncio.Semaphore(_MAX_LONG)


async def decoded(request: Request, decode: Callable[[bytes], T]) -> T:
    """What a body says; raises as `decode` and `aside`."""
    body = await request.body()
    return await aside(lambda: decode(body), len(body))


def record_of(cls: type[T], body: bytes) -> T:
    """The record that a body is; raises RequestError where it is none."""
    return BODIES.read(cls, json_object(body), field_error)


def json_object(body: bytes) -> dict[str, Any]:
    """The object that a body is; raises RequestError where it is none."""
    hint = "Send a JSON object; GET /openapi.json says what belongs into it."
    try:
        raw = loads(body, lenient=True)
    except JsonError as error:
        raise RequestError(f"The body {error}.", hint=hint) from None
    if not isinstance(raw, dict):
        raise RequestError(f"The body is {kind_of(raw)}, not an object.", hint=hint)
    return raw


async def aside(work: Callable[[], T], length: int) -> T:
    """What `work` returns, done in a thread where the text that it is about is long.

    Raises:
        RefusedError: Too much waits for the threads already.
    """
    if length <= SHORT:
        return work()
    if _long.locked():
        raise RefusedError(
            429,
            "Too many long requests are being read already.",
            hint="Try again in a while, or send less of the file as context.",
        )
    async with _long:
        return await asyncio.get_running_loop().run_in_executor(_threads, work)
