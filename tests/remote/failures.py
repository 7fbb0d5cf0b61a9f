"""Questions that a server fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.responses import Response

from .asks import ASK, SIX
from .conftest import FakeServer, engine_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstep.errors import (
        LlmstepError,
    )
    from llmstep.settings import Settings


async def failure(fake: FakeServer, kind: type[LlmstepError], settings: Settings | None = None) -> LlmstepError:
    async with engine_for(settings or fake.settings()) as engine:
        with pytest.raises(kind) as caught:
            await engine.generate(ASK, SIX)
        assert engine.status.state in ("idle", "empty")
        return caught.value


def junk(content: str, kind: str = "text/event-stream") -> Callable[[], Response]:
    return lambda: Response(content, media_type=kind)
