"""Ports for servers that must know theirs before they listen."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port of this machine that nobody listens at, and that the system gives to no connection meanwhile."""
    first = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32768
    chosen = random.Random(os.urandom(8))  # tests that set a seed do not get the same port
    while True:
        port = chosen.randrange(min(20_000, first - 1000), first)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
