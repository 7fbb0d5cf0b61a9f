"""Every guard, on a real socket."""

from __future__ import annotations

import asyncio

import pytest

from llmstep.errors import SettingsError
from llmstep.http.app import create_app
from llmstep.settings import HttpSettings, Settings

from .conftest import BODY, TOKEN, Running, ScriptedEngine, refused, running

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
