"""Every guard, on a real socket."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from llmstep.errors import SettingsError
from llmstep.http.app import create_app
from llmstep.http.security import MAX_BODY_BYTES
from llmstep.settings import HttpSettings, Settings

from .conftest import STATE, Running, ScriptedEngine, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx


pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = {"tactic_state": STATE, "prefix": "", "context": ""}
TOKEN = "0123456789abcdef"


def refused(answer: httpx.Response, status: int, error: str) -> None:
    """A refusal has the status, and the shape that upstream's clients can read."""
    assert answer.status_code == status
    content = answer.json()
    assert set(content) == {"error", "hint", "suggestions"}
    assert content["error"] == error
    assert content["hint"]
    assert content["suggestions"] == []
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", ["localhost", "localhost:1234", "LOCALHOST", "127.0.0.1", "127.1.2.3", "[::1]:6000"])
@pytest.mark.parametrize("path", ["/", "/health"])
async def test_loopback_hosts_are_let_in(up: Running, host: str, path: str) -> None:
    answer = await up.client.request(
        "GET" if path == "/health" else "POST",
        path,
        headers={"Host": host},
        json=None if path == "/health" else BODY,
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:6000", "localhost.evil.example", "192.168.0.7", "0.0.0.0", "::1", "a b", ""]
)
@pytest.mark.parametrize("path", ["/", "/generate", "/health", "/other"])
async def test_a_rebound_name_is_refused(up: Running, host: str, path: str) -> None:
    answer = await up.client.request(
        "GET" if path == "/health" else "POST", path, headers={"Host": host}, json=None if path == "/health" else BODY
    )
    refused(answer, 403, "The Host header names no address of this server.")
    assert up.engine.asked == []


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost:3000", "http://127.0.0.1", "vscode-webview://x", "file://", ""],
)
async def test_a_foreign_origin_is_refused(up: Running, origin: str) -> None:
    answer = await up.client.post("/", json=BODY, headers={"Origin": origin})
    refused(answer, 403, "Requests from web pages are refused.")
    refused(await up.client.get("/health", headers={"Origin": origin}), 403, "Requests from web pages are refused.")
    assert up.engine.asked == []


async def test_the_own_origin_is_let_in(up: Running) -> None:
    assert (await up.client.post("/", json=BODY, headers={"Origin": up.server.url})).status_code == 200


async def test_a_preflight_gets_no_permission(up: Running) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    headers["Access-Control-Request-Headers"] = "content-type"
    refused(await up.client.options("/", headers=headers), 403, "Requests from web pages are refused.")


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def with_token() -> AsyncIterator[Running]:
    async with running("0.0.0.0", TOKEN) as it:
        yield it


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"])
@pytest.mark.parametrize("path", ["/", "/generate", "/health"])
async def test_without_the_token_nothing_is_answered(with_token: Running, given: str | None, path: str) -> None:
    with_token.engine.asked.clear()
    headers = {} if given is None else {"Authorization": given.encode()}
    client = with_token.client
    asked = client.build_request("GET" if path == "/health" else "POST", path, json=BODY)
    del asked.headers["Authorization"]
    asked.headers.update(headers)
    answer = await client.send(asked)
    content = answer.json()
    assert (answer.status_code, content["error"]) == (401, "This server needs a token.")
    assert "Authorization: Bearer" in content["hint"]
    said = f"-- llmstep: {content['error']} {content['hint']}"  # old clients show nothing but steps
    assert content["suggestions"] == ([] if path == "/health" else [said])
    assert content.get("outputs") == ([{"output": said, "score": 0.0}] if path == "/generate" else None)
    assert answer.headers["www-authenticate"] == 'Bearer realm="llmstep"'
    assert with_token.engine.asked == []


@pytest.mark.parametrize("host", ["localhost", "lean.example.org:6000", "192.168.0.7"])
async def test_with_the_token_any_name_of_the_machine_will_do(with_token: Running, host: str) -> None:
    assert (await with_token.client.post("/", json=BODY, headers={"Host": host})).status_code == 200
    lower = {"Host": host, "Authorization": f"bearer {TOKEN}"}
    assert (await with_token.client.get("/health", headers=lower)).status_code == 200


async def test_a_token_does_not_let_web_pages_in(with_token: Running) -> None:
    answer = await with_token.client.post("/", json=BODY, headers={"Origin": "https://evil.example"})
    refused(answer, 403, "Requests from web pages are refused.")


async def test_several_tokens_by_name() -> None:
    async with running("127.0.0.1", {"ada": TOKEN, "emmy": TOKEN[::-1]}) as it:
        for token, status in ((TOKEN, 200), (TOKEN[::-1], 200), ("ada", 401), (TOKEN + TOKEN, 401), ("x", 401)):
            answer = await it.client.post("/", json=BODY, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == status


async def test_a_token_at_loopback_is_wanted_too() -> None:
    async with running("127.0.0.1", TOKEN) as it:
        assert (await it.client.post("/", json=BODY)).status_code == 200
        assert (await it.client.post("/", json=BODY, headers={"Authorization": ""})).status_code == 401
        assert (await it.client.post("/", json=BODY, headers={"Host": "evil.example"})).status_code == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "some-name", ""])
@pytest.mark.parametrize("token", [None, ""])
async def test_other_machines_need_a_token(host: str, token: str | None) -> None:
    with pytest.raises(SettingsError) as caught:
        create_app(ScriptedEngine(), Settings(http=HttpSettings(host=host)), token=token)  # type: ignore[arg-type]
    assert "without a token, because other machines reach it." in caught.value.message
    assert "--token-file" in caught.value.hint


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /health HTTP/1.0\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    ],
)
async def test_no_host_or_two(up: Running, sent: bytes) -> None:
    assert await status_of(up, sent) in (400, 403)


async def test_a_token_of_other_characters(with_token: Running) -> None:
    sent = b"GET /health HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n"
    assert await status_of(with_token, sent % b"\xe4\xff") == 401
    assert await status_of(with_token, sent % "ä".encode()) == 401
    assert await status_of(with_token, sent % TOKEN.encode()) == 200


async def status_of(up: Running, sent: bytes) -> int:
    """The status of the answer to these very bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", up.server.port)
    writer.write(sent)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 60)
    writer.close()
    return int(head.split()[1])
