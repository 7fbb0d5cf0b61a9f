"""Hosts: which are loopback, which are wildcards, and how a `Host` header or an URL writes them."""

from __future__ import annotations

import ipaddress
import re

_HOST_HEADER = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.%]+)\]|(?P<name>[^:\[\]/@\s]+))(?::\d{1,5})?")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach a server bound to `host`; names are not looked up."""
    address = _address(host)
    return address.is_loopback if address else host.lower().rstrip(".") == "localhost"


def is_wildcard(host: str) -> bool:
    """Whether `host` stands for all addresses of the machine (`0.0.0.0`, `::`)."""
    address = _address(host)
    return address.is_unspecified if address else host == ""


def host_of(header: str) -> str | None:
    """The host in a `Host` header, without port and brackets; None where the header is malformed."""
    match = _HOST_HEADER.fullmatch(header.strip())
    return (match["six"] or match["name"]).lower() if match else None


def url_of(host: str, port: int) -> str:
    """The URL of a server, `http://[::1]:6000` for example."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
