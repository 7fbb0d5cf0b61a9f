"""One model for all windows: which other llmstep has the model that this one would load.

It must be of this user, of this version, and have the same model in mind. Anything may listen at a loopback port, also
a program of another user of the machine; so the process that it names is looked up, and must listen there itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from llmstep import __version__
from llmstep.catalog.model_key import ModelKey
from llmstep.http.probe import probe
from llmstep.lsp.endpoint import Endpoint, own_token

if TYPE_CHECKING:
    from llmstep.engine.remote.place import Place
    from llmstep.settings import Settings


class Sharing:
    """Looks at the port where a companion listens. The one that has it itself never asks another."""

    def __init__(self) -> None:
        self.endpoint: Endpoint | None = None
        """That of this process; until it exists, there is no neighbour."""

    async def neighbour(self, settings: Settings) -> Place | None:
        """The llmstep to be asked for candidates; None when the model is to be loaded here."""
        http = settings.http
        endpoint = self.endpoint
        if endpoint is None or endpoint.url is not None or not settings.share_model or not http.enabled:
            return None
        return await lender(settings, gone=endpoint.hurry)


async def lender(settings: Settings, gone: Callable[[], None] = lambda: None) -> Place | None:
    """The llmstep at the port of the settings, where it has the model that they mean; None where there is none.

    Args:
        gone: Called when nobody answers there.
    """
    from llmstep.engine.remote.place import Key, Place

    http, token = settings.http, own_token()
    health = await probe(http.host, http.port, token=token)
    if health is None:
        gone()
        return None
    key = ModelKey.of(settings).digest
    if (health.version, health.model_key) != (__version__, key):
        return None
    if not await asyncio.to_thread(listens, health.pid, http.port):
        return None
    return Place(health.url, Key(token) if token else None, loopback=True, model_key=key)


def listens(pid: int, port: int) -> bool:
    """Whether a process of this user listens at a port."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.username() != psutil.Process().username():
            return False
        return any(
            each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in process.net_connections("tcp")
        )
    except (psutil.Error, OSError, ValueError):
        return False
