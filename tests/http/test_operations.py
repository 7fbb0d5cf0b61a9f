"""What those who run a server look at: alive, ready, numbers, the access log, and its end."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from waiting import until

from llmstep.http.app import create_app
from llmstep.http.server import serve
from llmstep.settings import Settings

from .conftest import BODY, Running, ScriptedEngine, running

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "secret_of_the_goal"


async def test_alive_and_ready_are_two_things() -> None:
    async with running() as it:
        for state, said in (
            ("empty", "The model is not loaded yet."),
            ("downloading", "The model is being downloaded."),
            ("loading", "The model is being loaded."),
        ):
            it.engine.status.state = state
            assert (await it.client.get("/health")).status_code == 200
            answer = await it.client.get("/ready")
            assert (answer.status_code, answer.json()) == (503, {"ready": False, "error": said})
        it.engine.status.state = "idle"
        answer = await it.client.get("/ready")
        assert (answer.status_code, answer.json()) == (200, {"ready": True, "model": "scripted"})
        it.engine.status.state = "empty"  # after an idle time: the next request loads it
        assert (await it.client.get("/ready")).status_code == 200


def numbers(page: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


@pytest.mark.parametrize("version", ["9" * 5000, "1.x", "", "-1", "1.0.0; escaping=x"])
async def test_numbers_for_a_scraper_with_any_version(up: Running, version: str) -> None:
    accept = f"application/openmetrics-text; version={version}"
    answer = await up.client.get("/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    assert "llmstep_build_info" in answer.text


async def test_numbers_for_prometheus() -> None:
    async with running(at_once=1) as it:
        for _ in range(3):
            await it.client.post("/", json=BODY)
        await it.client.post("/", content=b"{", headers={"Content-Type": "application/json"})
        await it.client.get("/no such page/" + SECRET)
        await it.client.get("/health", headers={"Host": "evil.example"})
        it.engine.hold = asyncio.Event()
        asking = [asyncio.ensure_future(it.client.post("/", json={**BODY, "prefix": str(i)})) for i in range(3)]
        await until(lambda: it.server.app.state.admission.waiting == 2)
        answer = await it.client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        found = numbers(answer.text)
        assert found["llmstep_requests_total", (("page", "/"), ("status", "200"))] == 3
        assert found["llmstep_requests_total", (("page", "/"), ("status", "400"))] == 1
        assert found["llmstep_requests_total", (("page", "other"), ("status", "404"))] == 1
        assert found["llmstep_requests_total", (("page", "/health"), ("status", "403"))] == 1
        assert found["llmstep_request_seconds_count", (("page", "/"),)] == 4
        assert found["llmstep_queue_waiting", ()] == 2
        assert found["llmstep_queue_running", ()] == 1
        assert found["llmstep_requests_open", ()] == 4
        assert found["llmstep_samples_total", ()] == 30
        assert found["llmstep_tokens_total", ()] == 36
        assert found["llmstep_model_state", (("state", "idle"),)] == 1
        assert found["llmstep_model_state", (("state", "loading"),)] == 0
        assert found["llmstep_model", (("name", "scripted"),)] == 1
        assert SECRET not in answer.text
        it.engine.hold.set()
        await asyncio.gather(*asking)
        openmetrics = await it.client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert openmetrics.text.endswith("# EOF\n")


async def logged(act: Callable[[httpx.AsyncClient], Any], token: str | None = None) -> tuple[list[dict[str, Any]], str]:
    lines: list[str] = []
    app = create_app(ScriptedEngine(), Settings(), token=token, access_log=lines.append)  # type: ignore[arg-type]
    server = await serve(app, "127.0.0.1", 0)
    try:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
            await act(client)
    finally:
        await server.stop()
    return [json.loads(line) for line in lines], "\n".join(lines)


async def test_the_access_log_has_a_line_of_json_for_each_request_and_no_goals() -> None:
    token = "0123456789abcdef"

    async def act(client: httpx.AsyncClient) -> None:
        good = {"Authorization": f"Bearer {token}", "X-Llmstep-Client": "ada"}
        body = {"tactic_state": f"{SECRET} : p\n⊢ p", "prefix": SECRET, "context": SECRET}
        assert (await client.post(f"/?q={SECRET}", json=body, headers=good)).status_code == 200
        assert (await client.post("/", json=body)).status_code == 401
        assert (await client.get(f"/{SECRET}", headers=good)).status_code == 404

    lines, text = await logged(act, token)
    assert [(line["method"], line["page"], line["status"]) for line in lines] == [
        ("POST", "/", 200),
        ("POST", "/", 401),
        ("GET", "other", 404),
    ]
    assert lines[0]["client"] == "127.0.0.1 ada"
    assert lines[0]["bytes_in"] > 50
    assert lines[0]["bytes_out"] > 50
    assert lines[0]["ms"] >= 0
    assert lines[0]["time"].endswith("+00:00")
    assert SECRET not in text
    assert token not in text
    assert "exact" not in text


async def test_a_drain_answers_what_is_in_work_and_takes_nothing_new() -> None:
    async with running(at_once=1) as it:
        it.engine.hold = asyncio.Event()
        asking = [asyncio.ensure_future(it.client.post("/", json={**BODY, "prefix": str(i)})) for i in range(3)]
        await until(lambda: it.server.app.state.admission.waiting == 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", it.server.port)
        writer.write(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in await reader.readuntil(b"\r\n")
        draining = asyncio.ensure_future(it.server.drain(20))
        assert await asyncio.wait_for(reader.read(), 60)  # the rest of that answer, and the end of an idle connection
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", it.server.port)
        assert not draining.done()
        it.engine.hold.set()
        assert {(await each).status_code for each in asking} == {200}
        await asyncio.wait_for(draining, 60)
        await it.server.stop()
        writer.close()


async def test_a_drain_has_a_time() -> None:
    async with running(at_once=1) as it:
        it.engine.hold = asyncio.Event()
        asking = asyncio.ensure_future(it.client.post("/", json=BODY))
        await it.engine.runs(1)
        await asyncio.wait_for(it.server.drain(0.2), 60)
        await it.server.stop()
        answer = await asking
        assert (answer.status_code, answer.json()["error"]) == (503, "The llmstep server is stopping.")


async def test_a_server_that_drains_is_alive_and_not_ready(up: Running) -> None:
    up.server.app.state.draining = True
    try:
        assert (await up.client.get("/health")).status_code == 200
        assert (await up.client.get("/ready")).status_code == 503
    finally:
        up.server.app.state.draining = False
