"""A real browser on a hostile page: forms, requests across sites, and names that are rebound to this machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
from waiting import until

from llmstep.http.server import serve

from .conftest import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

    from .conftest import Running

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(sys.platform == "win32", reason="the tests' Chromium is Debian's"),
]

BODY = '{"tactic_state": "⊢ p", "prefix": "", "context": ""}'
REACH = """async ([url, options]) => {
    try {
        const answer = await fetch(url, options);
        return [answer.type, answer.status, await answer.text()];
    } catch (error) {
        return ["refused", 0, ""];
    }
}"""


@asynccontextmanager
async def browsing(*options: str) -> AsyncIterator[Page]:
    from playwright.async_api import async_playwright

    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing: apt-get install chromium-headless-shell")
        pytest.skip("Chromium is missing: apt-get install chromium-headless-shell")
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", *options]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, headless=True, args=arguments)
        try:
            yield await browser.new_page()
        finally:
            await browser.close()


@asynccontextmanager
async def hostile_site() -> AsyncIterator[str]:
    """A page of another origin."""

    async def page(_request: object) -> HTMLResponse:
        return HTMLResponse("<!doctype html><title>hostile</title><body></body>")

    app = Starlette(routes=[Route("/", page)])
    app.state.stopping = asyncio.Event()
    server = await serve(app, "127.0.0.1", 0)
    try:
        yield server.url
    finally:
        await server.stop()


async def posts(it: Running) -> float:
    """Number of requests that the page `/` has answered, refusals included."""
    lines = (await it.client.get("/metrics")).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith('llmstep_requests_total{page="/",'))


def untouched(it: Running) -> None:
    assert it.engine.asked == []


async def test_no_page_of_another_site_gets_anything_done() -> None:
    async with running() as it, hostile_site() as point, browsing() as page:
        await page.goto(point)
        target = it.server.url
        json_type = {"Content-Type": "application/json"}
        for options in (
            {"method": "POST", "body": BODY, "headers": json_type},
            {"method": "POST", "body": BODY, "mode": "no-cors"},
            {"method": "POST", "body": BODY, "mode": "no-cors", "headers": {"Content-Type": "text/plain"}},
            {"method": "POST", "body": BODY, "mode": "no-cors", "headers": json_type},
            {"method": "POST", "body": BODY, "mode": "no-cors", "credentials": "include", "keepalive": True},
            {"method": "GET"},
            {"method": "PUT", "body": BODY, "headers": json_type},
        ):
            for path in ("/", "/generate", "/candidates", "/v1/completions", "/api/generate", "/health", "/metrics"):
                kind, status, text = await page.evaluate(REACH, [target + path, options])
                assert (kind, status, text) in (("refused", 0, ""), ("opaque", 0, "")), (path, options)
        untouched(it)
        for encoding in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            await page.goto(point)
            await page.evaluate(
                """([url, encoding, body]) => {
                    const form = document.createElement("form");
                    form.action = url; form.method = "post"; form.enctype = encoding;
                    const field = document.createElement("input");
                    field.name = body.slice(0, -2) + ', "x": "'; field.value = '"}';
                    form.append(field); document.body.append(form); form.submit();
                }""",
                [target + "/", encoding, BODY],
            )
            await page.wait_for_url(target + "/")
            assert '"suggestions":[]' in await page.content()
        untouched(it)
        await page.goto(point)
        before = await posts(it)
        sent = await page.evaluate(
            "([url, body]) => navigator.sendBeacon(url, new Blob([body], {type: 'text/plain'}))", [target + "/", BODY]
        )
        assert sent
        for tag in ("img", "script", "iframe"):
            await page.evaluate(
                """([tag, url]) => new Promise(done => {
                    const made = document.createElement(tag);
                    made.onload = made.onerror = done; made.src = url; document.body.append(made);
                })""",
                [tag, target + "/health"],
            )

        async def has_come() -> bool:
            return await posts(it) > before

        await until(has_come)
        untouched(it)
        assert (await it.client.get("/health")).status_code == 200


async def test_a_name_that_is_rebound_to_this_machine_gets_nothing() -> None:
    """The page's own name leads to the server: for the browser it is the same site."""
    async with running() as it, browsing("--host-resolver-rules=MAP evil.example 127.0.0.1") as page:
        url = f"http://evil.example:{it.server.port}"
        answer = await page.goto(url + "/health")
        assert answer is not None
        assert answer.status == 403
        for path in ("/", "/generate", "/candidates", "/v1/completions", "/api/chat"):
            options = {"method": "POST", "body": BODY, "headers": {"Content-Type": "application/json"}}
            kind, status, text = await page.evaluate(REACH, [url + path, options])
            assert (kind, status) == ("basic", 403)
            assert "The Host header names no address of this server." in text
        for path in ("/health", "/metrics", "/openapi.json", "/v1/models"):
            assert (await page.evaluate(REACH, [url + path, {}]))[1] == 403
        untouched(it)


async def test_with_a_token_a_browser_gets_nothing_either() -> None:
    async with running("127.0.0.1", "0123456789abcdef") as it, browsing() as page:
        await page.goto(it.server.url + "/nothing")
        options = {"method": "POST", "body": BODY, "headers": {"Content-Type": "application/json"}}
        assert (await page.evaluate(REACH, [it.server.url + "/", options]))[1] == 401
        untouched(it)
