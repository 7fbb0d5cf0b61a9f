"""A socket to listen with, and why there may be none."""

from __future__ import annotations

import errno
import socket
import sys

from llmstep.errors import LlmstepError


class ListenError(LlmstepError):
    """The server cannot listen at the address wanted."""

    code = "listen"


class PortInUseError(ListenError):
    """Another program listens at the port."""

    code = "port_in_use"
    retryable = True


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ListenError: See `serve`.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ListenError(f"There is no address {host!r} on this machine.", hint="Listen at 127.0.0.1.") from None
    # `localhost` has an address of both kinds; clients that try IPv6 first fall back to IPv4, not all the other way.
    family, kind, protocol, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        if sys.platform == "win32":  # there, SO_REUSEADDR would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _listen_error(host, port, error) from None
    return listener


def _listen_error(host: str, port: int, error: OSError) -> ListenError:
    if error.errno == errno.EADDRINUSE or getattr(error, "winerror", None) == 10048:
        return PortInUseError(
            f"Port {port} at {host} is used by another program.",
            hint="End it, or set llmstep.http.port to another port.",
        )
    if error.errno == errno.EACCES:
        return ListenError(f"Listening at port {port} is not permitted.", hint="Choose a port above 1023.")
    return ListenError(f"llmstep cannot listen at {host}: {error.strerror}.", hint="Listen at 127.0.0.1.")
