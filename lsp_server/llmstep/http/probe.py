"""Is there an llmstep server at a port already?"""

from __future__ import annotations

import asyncio

import attrs

from llmstep.address import is_loopback, is_wildcard, url_of
from llmstep.engine.wire import PROTOCOL
from llmstep.errors import RequestError
from llmstep.strict_json import loads
from llmstep.wire.http import HealthAnswer
from llmstep.wire.reading import BODIES, field_error

_MAX_ANSWER = 65_536


@attrs.frozen(kw_only=True)
class Health(HealthAnswer):
    """What a running llmstep server says of itself."""

    url: str


async def probe(host: str, port: int, *, token: str | None = None, seconds: float = 1.5) -> Health | None:
    """The health of the llmstep server at a loopback port, or None: nothing there, another program, no answer in time.

    Only loopback is asked; a wildcard address is asked at 127.0.0.1. The request is written by hand, because this runs
    at the start of every companion and must neither take the time of an import nor a proxy from the environment.

    Args:
        token: Bearer token to send.
        seconds: Time limit of the whole question.
    """
    if is_wildcard(host):
        host = "127.0.0.1"
    if not is_loopback(host) or port == 0:
        return None
    try:
        body = await asyncio.wait_for(_get_health(host, port, token), seconds)
        answer = BODIES.read(HealthAnswer, loads(body), field_error)
        if answer.protocol == PROTOCOL:
            return Health(url=url_of(host, port), **attrs.asdict(answer))
    except (OSError, asyncio.TimeoutError, ValueError, RequestError):
        pass
    return None


async def _get_health(host: str, port: int, token: str | None) -> bytes:
    """The body of a 200 answer to `GET /health`; anything else raises OSError or ValueError."""
    reader, writer = await asyncio.open_connection(host, port, limit=_MAX_ANSWER)
    try:
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        name = f"[{host}]" if ":" in host else host
        writer.write(f"GET /health HTTP/1.0\r\nHost: {name}:{port}\r\n{authorization}\r\n".encode())
        await reader.readexactly(_MAX_ANSWER)
    except asyncio.IncompleteReadError as ended:
        head, _, body = ended.partial.partition(b"\r\n\r\n")
        if b" 200 " in head.split(b"\r\n")[0]:
            return body
    finally:
        writer.close()
    raise ValueError("the answer is not that of a healthy llmstep")
