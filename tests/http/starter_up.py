"""The starter behind the endpoint, and clients of OpenAI's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import httpx
import openai
import pytest_asyncio

from llmstep.engine.router import EngineRouter
from llmstep.http.app import create_app
from llmstep.http.server import HttpServer, serve
from llmstep.settings import HttpSettings, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmstep.http.server import HttpServer

PROMPT = "[GOAL]p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q[PROOFSTEP]"

TOKEN = "0123456789abcdef"


@attrs.frozen
class Up:
    engine: EngineRouter
    server: HttpServer
    client: openai.AsyncOpenAI
    plain: httpx.AsyncClient


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def starter_up() -> AsyncIterator[Up]:
    """The starter behind the endpoint, with a token, and two clients."""
    engine = EngineRouter(Settings(model="starter", device="cpu"))
    server = await serve(create_app(engine, Settings(http=HttpSettings(port=0)), token=TOKEN), "127.0.0.1", 0)
    inner = httpx.AsyncClient(trust_env=False, timeout=60)
    client = openai.AsyncOpenAI(base_url=server.url + "/v1", api_key=TOKEN, http_client=inner, max_retries=0)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False, timeout=60) as plain:
        yield Up(engine, server, client, plain)
    await client.close()
    await server.stop()
    await engine.close()
