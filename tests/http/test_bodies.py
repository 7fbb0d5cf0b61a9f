"""Bodies of requests that are let in and that are refused, on a real socket."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING

import pytest

from llmstep.http.security import MAX_BODY_BYTES

from .conftest import BODY, Running, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("given", ["application/json", "application/json; charset=utf-8", "Application/JSON ;x=y"])
async def test_json_is_let_in(up: Running, given: str) -> None:
    answer = await up.client.post("/", content=json.dumps(BODY), headers={"Content-Type": given})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "given", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp"]
)
@pytest.mark.parametrize("path", ["/", "/generate"])
async def test_what_a_web_form_can_send_is_refused(up: Running, given: str, path: str) -> None:
    answer = await up.client.post(path, content=json.dumps(BODY), headers={"Content-Type": given})
    refused(answer, 415, f"The content type is {given}.")


async def test_no_content_type(up: Running) -> None:
    refused(await up.client.post("/", content=json.dumps(BODY)), 415, "The content type is not given.")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {"Content-Type": "application/json"}),
        ("/v1/completions", {"Content-Type": "application/json"}),
        ("/api/generate", {"Content-Type": "application/json"}),
        ("/api/generate", {}),
    ],
)
async def test_a_compressed_body_is_refused(up: Running, path: str, headers: dict[str, str]) -> None:
    content = gzip.compress(json.dumps(BODY).encode())
    answer = await up.client.post(path, content=content, headers=headers | {"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert "The body is compressed (gzip)." in answer.text
    assert up.engine.asked == []


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("Content-Length: {0}\r\nTransfer-Encoding: chunked\r\n", "The request states the length of its body and"),
        ("Transfer-Encoding: chunked\r\nContent-Length: {0}\r\n", "The request states the length of its body and"),
        ("Content-Length: {0}\r\nContent-Length: 3\r\n", "The request is not valid HTTP/1.1."),
        ("Content-Length: +{0}\r\n", "The request is not valid HTTP/1.1."),
        ("Transfer-Encoding: gzip\r\n", "The request is not valid HTTP/1.1."),
        ("Host: evil.example\r\nContent-Length: {0}\r\n", "The request is not valid HTTP/1.1."),
    ],
)
async def test_a_body_whose_end_is_in_doubt_is_refused(up: Running, head: str, message: str) -> None:
    """Two servers on the way must not find two requests where one was sent."""
    body = json.dumps(BODY)
    reader, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
    start = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    writer.write(f"{start}{head.format(len(body))}\r\n{body}".encode())
    answer = (await asyncio.wait_for(reader.read(), 20)).decode()  # to the end: the connection is closed
    writer.close()
    assert answer.startswith("HTTP/1.1 400 ")
    assert answer.count("HTTP/1.1 400") == 1
    assert message in answer
    assert up.engine.asked == []


@pytest.mark.parametrize("head", ["GET /health", "GET /nothing", "PUT /", "POST /", "POST /nothing"])
@pytest.mark.parametrize("host", ["localhost", "evil.example"])
async def test_no_request_with_a_body_in_two_forms_leaves_the_connection_open(
    with_token: Running, head: str, host: str
) -> None:
    """Whatever else is wrong with it."""
    both = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", with_token.server.port)
    writer.write(f"{head} HTTP/1.1\r\nHost: {host}\r\n{both}\r\n0\r\n\r\n".encode())
    answer = (await asyncio.wait_for(reader.read(), 20)).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 400 ")
    assert "The request states the length of its body and sends it in chunks." in answer


@pytest.mark.parametrize("encoding", ["", "identity"])
async def test_a_body_that_says_it_is_not_compressed_is_let_in(up: Running, encoding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    assert (await up.client.post("/", content=json.dumps(BODY), headers=headers)).status_code == 200


def body_of(length: int) -> bytes:
    empty = len(json.dumps(BODY))
    sent = json.dumps({**BODY, "context": "x" * (length - empty)}).encode()
    assert len(sent) == length
    return sent


async def chunks(sent: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(sent), 50_000):
        yield sent[start : start + 50_000]


@pytest.mark.parametrize("chunked", [False, True])
async def test_the_longest_body_is_let_in(up: Running, chunked: bool) -> None:
    sent = body_of(MAX_BODY_BYTES)
    answer = await up.client.post(
        "/", content=chunks(sent) if chunked else sent, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200
    assert len(up.engine.asked[0][0].context) == MAX_BODY_BYTES - len(json.dumps(BODY))


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("length", [MAX_BODY_BYTES + 1, 8 * MAX_BODY_BYTES])
async def test_a_longer_body_is_refused(up: Running, chunked: bool, length: int) -> None:
    sent = body_of(length)
    answer = await up.client.post(
        "/", content=chunks(sent) if chunked else sent, headers={"Content-Type": "application/json"}
    )
    refused(answer, 413, f"The body is longer than {MAX_BODY_BYTES} bytes.")
    assert up.engine.asked == []
    assert (await up.client.post("/", json=BODY)).status_code == 200


async def test_a_body_without_end_is_cut_off(up: Running) -> None:
    """The refusal comes while the client still sends: the server does not wait for the end of the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
    writer.write(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    for _ in range(17):
        writer.write(chunk)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 60)
    assert head.startswith(b"HTTP/1.1 413")
    writer.close()
