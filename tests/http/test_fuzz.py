"""Hostile requests: many into the application itself, some by schemathesis from the description that a server gives."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import unsupported_method

from llmstep.http.app import PAGES, create_app, description
from llmstep.http.server import serve
from llmstep.settings import Settings

from .fuzz import GOOD, Fixed, ask, fault_of, fuzz

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUTS, LEAST, SECONDS = 50_000, 5_000, 60.0
"""Once the seconds are over on a slow machine, the least are enough; the time of the whole suite is bounded."""


def test_no_hostile_request_gets_a_500_or_a_word_of_python() -> None:
    report = fuzz(INPUTS, seed=20_261_129, seconds=SECONDS, least=LEAST)
    assert report.faults == []
    assert report.count >= LEAST
    assert {200, 400, 403, 404, 405} <= set(report.statuses)


async def test_the_good_requests_of_the_fuzzer_are_good() -> None:
    app = create_app(Fixed(), Settings())  # type: ignore[arg-type]
    for path, body in GOOD.items():
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        status, answer = await ask(app, path, "POST", headers, json.dumps(body).encode())
        assert (path, status) in ((path, 200), ("/candidates", 409)), answer
        assert fault_of(path, status, answer) == ""


def test_every_page_is_described_and_every_description_is_a_page() -> None:
    app = create_app(Fixed(), Settings())  # type: ignore[arg-type]
    pages = {(route.path.replace(":path", ""), method) for route in app.routes for method in route.methods - {"HEAD"}}  # type: ignore[attr-defined]
    assert pages == {(page.path.replace(":path", ""), page.method) for page in PAGES}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server of its own thread, since schemathesis is no program of asyncio."""
    ready = threading.Event()
    found: list[str] = []
    loop = asyncio.new_event_loop()
    ending = asyncio.Event()

    async def run() -> None:
        server = await serve(create_app(Fixed(), Settings(), at_once=16), "127.0.0.1", 0)  # type: ignore[arg-type]
        found.append(server.url)
        ready.set()
        await ending.wait()
        await server.stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert ready.wait(60)
    yield found[0]
    loop.call_soon_threadsafe(ending.set)
    thread.join(60)


OPERATIONS = [each.ok() for each in schemathesis.openapi.from_dict(description()).get_all_operations()]


@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.label.replace(" ", "-") for each in OPERATIONS])
def test_schemathesis_over_http(operation: Any, url: str) -> None:
    """Statuses, content types and answers are those described; good requests are taken and others refused."""

    @given(case=operation.as_strategy())
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def all_hold(case: Any) -> None:
        case.body = alone(plain(case.body))
        # A POST that is no JSON is refused before one looks whether its page takes it.
        case.call_and_validate(base_url=url, excluded_checks=[unsupported_method])

    all_hold()


def alone(body: Any) -> Any:
    """`body` without what is good by itself and not together, which JSON Schema cannot say."""
    if isinstance(body, dict):
        if body.get("best_of") in range(1, 257):
            del body["best_of"]
        if isinstance(body.get("prompt"), list) and body.get("n") in range(1, 257):
            body["n"] = 1
    return body


def plain(value: Any) -> Any:
    """`value` without whole numbers like `54.0`, which JSON Schema takes for integers and this server does not."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53 else value
