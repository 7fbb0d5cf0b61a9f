"""The wire to one server: a pool of connections, and every failure as a sentence.

A generation changes nothing at the server, so that every request may be repeated. `Passing` marks failures after which
that makes sense: no connection, an answer that is cut or cannot be read, a server that is busy or stumbles.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import getpass
import hashlib
import json
import platform
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from llmstep.engine.remote.place import Place
from llmstep.engine.remote.refusals import Passing, refusal
from llmstep.errors import LlmstepError, RemoteError, RemoteRefusedError
from llmstep.strict_json import loads

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

TRIES = 4
FIRST_PAUSE = 0.25
"""Seconds before the second try; each further pause is twice as long."""
MAX_PAUSE = 20.0
"""Longest pause for which a server's `Retry-After` is obeyed; where it wants more, the user gets an error instead."""
CONNECT_SECONDS = 10.0
CLIENT_HEADER = "X-Llmstep-Client"
_MAX_KEPT = 32
"""Connections that stay open without a request; the number of those in use is the caller's business."""
_MAX_ERROR = 1 << 16
_MAX_LINE = 1 << 23
MAX_ANSWER = 1 << 26
"""Bytes; 256 samples of 4096 tokens with their log-probabilities."""
_MAX_LIST = 1 << 22
"""Bytes of a list of models, or of what a server says of itself."""

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError)
"""What reading raises where an answer is not what the protocol says."""
FAILURES: contextvars.ContextVar[list[LlmstepError] | None] = contextvars.ContextVar("failures", default=None)
"""Where the failures of tries are noted, for whoever ends the work because it takes too long."""


async def persistently(work: Callable[[], Awaitable[T]], tries: int = TRIES) -> T:
    """What `work` returns, repeated with growing and spread pauses while it fails with `Passing`.

    Raises:
        LlmstepError: It still fails at the last try, or the server wants a longer pause than `MAX_PAUSE`.
    """
    import stamina

    stamina.instrumentation.set_on_retry_hooks([])  # its own ones print warnings, and count in the program's metrics
    pauses = {"wait_initial": FIRST_PAUSE, "wait_max": MAX_PAUSE, "wait_jitter": FIRST_PAUSE / 2}
    try:
        async for attempt in stamina.retry_context(_pause, attempts=tries, timeout=None, **pauses):
            with attempt:
                return await work()
    except Passing as failure:
        raise failure.error from None
    raise AssertionError("a try either returns or raises")


def _pause(error: Exception) -> bool | float:
    """Whether another try makes sense, or the seconds until then where the server names them."""
    if not isinstance(error, Passing):
        return False
    if (noted := FAILURES.get()) is not None:
        noted.append(error.error)
    return True if error.after is None else error.after <= MAX_PAUSE and error.after


@attrs.define(eq=False)
class Connection:
    """Requests to one server.

    Args:
        silence: Longest wait for the next bytes of an answer, in seconds.
    """

    place: Place
    silence: float
    _client: asyncio.Task[httpx.AsyncClient] | None = None

    async def get(self, path: str, seconds: float, body: object = None) -> Any:
        """The JSON at a path, or what the server answers to a body there, within a time limit; raises as `stream`."""

        async def fetch() -> bytes:
            async with self.stream("GET" if body is None else "POST", path, body) as response:
                return await self.whole(response, _MAX_LIST)

        try:
            return loads(await asyncio.wait_for(fetch(), seconds))
        except asyncio.TimeoutError:
            raise Passing(self.too_slow(seconds)) from None
        except ValueError:
            raise Passing(self.unreadable()) from None

    @contextlib.asynccontextmanager
    async def stream(self, method: str, path: str, body: object = None) -> AsyncIterator[httpx.Response]:
        """The answer to a request, of which only the head has been read; leaving the block closes the request.

        Raises:
            Passing: The server cannot be reached, the answer is cut, or its status may pass.
            LlmstepError: The server refuses the request.
        """
        import httpx

        # Compressed answers would have to be unpacked before one knows how long they are.
        headers = {"Accept-Encoding": "identity", CLIENT_HEADER: own_name(), **self.place.headers()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = None if body is None else json.dumps(body).encode()
        client = await self._opened()
        try:
            async with client.stream(method, self.place.url + path, content=content, headers=headers) as response:
                packed = response.headers.get("content-encoding", "identity").lower() not in ("", "identity")
                if not response.is_success:
                    said = b"" if packed else await _read(response, _MAX_ERROR)
                    raise refusal(self.place, response.status_code, response.headers, said)
                if packed:
                    raise RemoteRefusedError(
                        f"The server at {self.place.url} sends compressed answers, which llmstep does not ask for.",
                        hint="Switch compression off at the server, or at the proxy in front of it.",
                    )
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout):
            nobody = f"Nothing answers at {self.place.url}."
            raise Passing(RemoteError(nobody, hint="Start the server, or correct llmstep.remote.url.")) from None
        except httpx.TimeoutException:
            raise Passing(self.too_slow(self.silence)) from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise Passing(self.broken_off()) from None

    async def lines(self, response: httpx.Response) -> AsyncIterator[str]:
        """The lines of an answer as they come; JSON may hold the other characters at which Python ends a line."""
        rest, total = bytearray(), 0
        async for data in response.aiter_raw():
            total += len(data)
            rest += data
            if b"\n" in data:
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    yield self._text(line)
            if total > MAX_ANSWER or len(rest) > _MAX_LINE:
                raise self._too_long()
        yield self._text(rest)

    async def whole(self, response: httpx.Response, maximum: int = MAX_ANSWER) -> bytes:
        """An answer in one piece, of at most so many bytes."""
        body = await _read(response, maximum)
        if len(body) > maximum:
            raise self._too_long()
        return body

    def _text(self, line: bytearray) -> str:
        try:
            return line.decode("utf-8").strip("\r")
        except UnicodeDecodeError:
            raise Passing(self.unreadable()) from None

    def broken_off(self) -> RemoteError:
        return RemoteError(f"The server at {self.place.url} broke off its answer.", hint="Try again; see its log.")

    def unreadable(self) -> RemoteError:
        return RemoteError(
            f"The answer of the server at {self.place.url} cannot be read.",
            hint="Check that llmstep.engine names the kind of this server, and see the server's log.",
        )

    def too_slow(self, seconds: float) -> RemoteError:
        return RemoteError(
            f"The server at {self.place.url} did not answer within {seconds:g} seconds.",
            hint="See what it is doing, or raise llmstep.remote.timeoutSeconds.",
        )

    def _too_long(self) -> RemoteRefusedError:
        return RemoteRefusedError(
            f"The answer of the server at {self.place.url} is longer than any that llmstep asks for.",
            hint="Check that llmstep.remote.url is the address of the right server, and see the server's log.",
        )

    async def close(self) -> None:
        """Close all connections; requests in work fail. A second call does nothing."""
        opening, self._client = self._client, None
        if opening is not None:
            with contextlib.suppress(Exception):
                await (await opening).aclose()

    async def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            # In a thread: the import and the certificates take longer than an answer to the editor may.
            self._client = asyncio.create_task(asyncio.to_thread(self._open))
        return await asyncio.shield(self._client)

    def _open(self) -> httpx.AsyncClient:
        import httpx

        return httpx.AsyncClient(
            timeout=httpx.Timeout(self.silence, connect=min(CONNECT_SECONDS, self.silence)),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=_MAX_KEPT),
            trust_env=not self.place.loopback,  # a proxy is not asked about this machine
            follow_redirects=False,  # the user's consent is for one address
        )


async def _read(response: httpx.Response, maximum: int) -> bytes:
    """The body of an answer; of one with more than so many bytes, a beginning that is longer."""
    body = bytearray()
    async for data in response.aiter_raw():
        body += data
        if len(body) > maximum:
            break
    return bytes(body)


def own_name() -> str:
    """What distinguishes this user of this machine from others behind the same address, and says neither's name."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = ""
    return hashlib.sha256(f"llmstep {user} {platform.node()}".encode("utf-8", "replace")).hexdigest()[:16]
