"""What stands before the endpoint: any web page and any program of any user can reach a loopback port.

* `Host` must be loopback or the host the server is bound to. A page whose name was rebound to 127.0.0.1 (DNS
  rebinding) is same-origin for its browser, but sends its own name here.
* An `Origin` other than the server's own is refused, and no CORS header is ever sent.
* POST wants `application/json`, which a page cannot send across origins without a preflight that is refused as well.
  Ollama's pages take no content type too, since clients of Ollama send none.
* Where a token is set, it is wanted with every request.
* A body has one stated length and is not compressed.
* Bodies are bounded; `llmstep.http.fair_queue` bounds the number of requests.

Behind it, a request's work ends when its client goes, or the server stops (`llmstep.http.attended`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from llmstep.address import host_of, is_loopback, is_wildcard
from llmstep.http.answers import RefusedError, answer_for, is_ollama
from llmstep.http.attended import attended

MAX_BODY_BYTES = 1 << 20
BODY_SECONDS = 30.0
"""Longest wait for a body."""
CLIENT_HEADER = "x-llmstep-client"
"""Tells those apart who come from one address, behind a proxy for example."""
_DISCARD_SECONDS = 1.0


def guarded_app(routes: Sequence[Route], host: str, token: str | Mapping[str, str] | None) -> Starlette:
    """An application behind `SecurityMiddleware`, which gives an answer to every error.

    `app.state.stopping` is set when the server stops; `app.state.draining` is true from when it listens no more.
    `app.state.retry_after()` is the seconds after which a client may come again.

    Args:
        host: The host the server is bound to.
        token: The bearer token that every request must carry, or several, by the names of those who have them; None
            wants none.
    """
    app = Starlette(
        routes=routes,
        middleware=[Middleware(SecurityMiddleware, host, token)],
        exception_handlers={HTTPException: _no_such_page},
    )
    app.state.stopping = asyncio.Event()
    app.state.draining = False
    app.state.retry_after = lambda: 1
    return app


async def _no_such_page(request: Request, error: Any) -> NoReturn:
    path = request.url.path[:80]
    message = {
        404: f"There is no {path} here.",
        405: f"{path} does not take {request.method} requests.",
    }.get(error.status_code, error.detail)
    hint = "GET /openapi.json lists the pages of this server."
    raise RefusedError(error.status_code, message, hint=hint, headers=error.headers)


class SecurityMiddleware:
    """ASGI middleware that answers refused requests itself, and reads the bodies of all others."""

    def __init__(self, app: ASGIApp, host: str, token: str | Mapping[str, str] | None) -> None:
        self.app = app
        self.host = host.lower()
        self.tokens = {"": token} if isinstance(token, str) else dict(token or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        let_in = False
        try:
            scope.setdefault("state", {})["client"] = self._checked(scope, headers)
            let_in = True
            body = await _body(receive) if scope["method"] == "POST" else b""
        except RefusedError as error:
            # Who asks first whether the body is wanted has not sent it; one in two forms has no known end.
            if not let_in and "expect" not in headers and error.status != 400:
                await _discard(receive)
            await answer_for(scope["path"], error)(scope, receive, send)
            return
        if body is not None:
            await attended(self.app, scope, body, receive, send)

    def _checked(self, scope: Scope, headers: Headers) -> str:
        """Whose request it is: the name of its token, else its address with what its header `X-Llmstep-Client` says."""
        if "content-length" in headers and "transfer-encoding" in headers:  # before all that leaves the connection open
            raise RefusedError(
                400,
                "The request states the length of its body and sends it in chunks.",
                hint="Send one of Content-Length and Transfer-Encoding: servers on the way may read either.",
            )
        if not self._is_own_host(headers):
            raise RefusedError(
                403,
                "The Host header names no address of this server.",
                hint="Address the server by localhost, 127.0.0.1 or the host it was started with.",
            )
        own = f"http://{headers.get('host', '')}".lower()
        if any(origin.lower() != own for origin in headers.getlist("origin")):
            raise RefusedError(
                403,
                "Requests from web pages are refused.",
                hint="Send the request from a program, without an Origin header.",
            )
        name = self._name(headers)
        if scope["method"] == "POST":
            _check_post(scope, headers)
        address = scope.get("client")
        return name or f"{address[0] if address else ''} {headers.get(CLIENT_HEADER, '')[:64]}".rstrip()

    def _is_own_host(self, headers: Headers) -> bool:
        # Bound to a wildcard, the names by which clients know this machine are unknown; the token guards there.
        if is_wildcard(self.host) and self.tokens:
            return True
        hosts = [host_of(header) for header in headers.getlist("host")]
        return bool(hosts) and all(host and (host == self.host or is_loopback(host)) for host in hosts)

    def _name(self, headers: Headers) -> str:
        """The name that belongs to the request's token."""
        if not self.tokens:
            return ""
        given = _given_token(headers)
        names = [name for name, token in self.tokens.items() if hmac.compare_digest(given, token.encode())]
        if not names:
            raise RefusedError(
                401,
                "This server needs a token.",
                hint="Send the header 'Authorization: Bearer ...' with the token the server was started with, "
                "or write http://any:TOKEN@host for its address.",
            )
        return names[0]


def _check_post(scope: Scope, headers: Headers) -> None:
    encoding = ", ".join(headers.getlist("content-encoding")).strip()
    if encoding.lower() not in ("", "identity"):
        raise RefusedError(415, f"The body is compressed ({encoding[:40]}).", hint="Send it without Content-Encoding.")
    kind = headers.get("content-type", "application/json" if is_ollama(scope["path"]) else "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(
            415,
            f"The content type is {kind[:80] or 'not given'}.",
            hint="Send JSON with the header 'Content-Type: application/json'.",
        )
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 18 or int(length) > MAX_BODY_BYTES:
        raise _too_large()


def _given_token(headers: Headers) -> bytes:
    """The token of a request: a bearer's, or the password of a client that knows nothing but passwords."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip().encode()
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            return base64.b64decode(given.strip(), validate=True).partition(b":")[2]
    return b""


async def _body(receive: Receive) -> bytes | None:
    """The whole body, whatever its headers said of its length; None where the client goes before its end."""

    async def read() -> bytes | None:
        body = bytearray()
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            more = message.get("more_body")
            if len(body) > MAX_BODY_BYTES:
                if more:
                    await _discard(receive)
                raise _too_large()
            if not more:
                return bytes(body)
        return None

    try:
        return await asyncio.wait_for(read(), BODY_SECONDS)
    except asyncio.TimeoutError:
        raise RefusedError(
            408,
            f"The body did not arrive within {BODY_SECONDS:g} seconds.",
            hint="Send it faster, or send less of the file as context.",
        ) from None


def _too_large() -> RefusedError:
    return RefusedError(
        413,
        f"The body is longer than {MAX_BODY_BYTES} bytes.",
        hint="Send less of the file as context.",
    )


async def _discard(receive: Receive) -> None:
    """Read what still comes of a body, for a while.

    A connection that is closed with unread bytes is reset, and the client loses the answer that says why.
    """

    async def read() -> None:
        while (await receive()).get("more_body"):
            pass

    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(read(), _DISCARD_SECONDS)
