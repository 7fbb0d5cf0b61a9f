"""Calls of tools that a running companion answers; see `llmstep.mcp.offer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmstep.address import url_of
from llmstep.engine import wire
from llmstep.engine.remote.connection import Connection
from llmstep.engine.remote.llmstep import SILENCE
from llmstep.engine.remote.place import Key, Place
from llmstep.engine.remote.refusals import Passing, StatusError
from llmstep.mcp.companion import Companion
from llmstep.mcp.offer import HOST
from llmstep.progress import ProgressSink
from llmstep.strict_json import loads


class AloneError(Exception):
    """The companion does not do the work: it has gone, or the file is none of its own."""


class Forward:
    """Connections to companions."""

    def __init__(self) -> None:
        self._connections: dict[int, Connection] = {}

    async def call(
        self, companion: Companion, tool: str, arguments: Mapping[str, Any], progress: ProgressSink
    ) -> dict[str, Any]:
        """What a companion answers; closing the connection, as a cancelled task does, ends its work.

        Raises:
            AloneError: It does not do the work.
            LlmstepError: The work failed there.
        """
        connection = self._connections.get(companion.port)
        if connection is None or connection.place.key != Key(companion.token):
            place = Place(url_of(HOST, companion.port), Key(companion.token))
            connection = self._connections[companion.port] = Connection(place, SILENCE)
        try:
            async with connection.stream("POST", f"/tools/{tool}", dict(arguments)) as response:
                async for line in connection.lines(response):
                    raw = loads(line) if line else {}
                    if "progress" in raw:
                        progress(wire.read_progress(raw["progress"]))
                    if "error" in raw:
                        raise wire.read_error(raw["error"])
                    if "result" in raw:
                        return dict(raw["result"])
        except (StatusError, Passing, ValueError, KeyError, TypeError) as error:
            raise AloneError(str(error)) from None
        raise AloneError("the answer was broken off")

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            await connection.close()
