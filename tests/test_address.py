from __future__ import annotations

import pytest

from llmstep.address import host_of, is_loopback, is_wildcard, url_of


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST", "localhost."])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",
        "::",
        "192.168.1.5",
        "8.8.8.8",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "evil",
        "2130706433",
    ],
)
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "wild"), [("0.0.0.0", True), ("::", True), ("", True), ("127.0.0.1", False), ("a", False)]
)
def test_wildcard(host: str, wild: bool) -> None:
    assert is_wildcard(host) is wild


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost", "localhost"),
        ("Localhost:6000", "localhost"),
        ("127.0.0.1:6000", "127.0.0.1"),
        ("[::1]:6000", "::1"),
        ("[::1]", "::1"),
        ("evil.example", "evil.example"),
        ("", None),
        ("::1", None),
        ("localhost:x", None),
        ("localhost:6000:1", None),
        ("localhost@evil.example", None),
        ("localhost/evil", None),
        ("[::1", None),
        ("localhost evil", None),
    ],
)
def test_host_header(header: str, host: str | None) -> None:
    assert host_of(header) == host


def test_url() -> None:
    assert url_of("127.0.0.1", 6000) == "http://127.0.0.1:6000"
    assert url_of("::1", 6000) == "http://[::1]:6000"
