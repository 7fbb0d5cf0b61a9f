"""The starter answers while a larger model is on its way into memory."""

from __future__ import annotations

import asyncio
import logging

import attrs

from llmstep.engine.engine import Engine
from llmstep.engine.interface import Generation
from llmstep.errors import CancelledError, LlmstepError
from llmstep.progress import ProgressSink
from llmstep.settings import Settings
from llmstep.types import PromptInput, SamplingParams

_log = logging.getLogger(__name__)


class FallbackEngine:
    """A second engine with the starter, for as long as the model of the settings is being loaded.

    Args:
        own: The engine whose model it is about.
    """

    def __init__(self, own: Engine) -> None:
        self._own = own
        self._starter: Engine | None = None
        self._loading: asyncio.Task[object] | None = None
        self._failed: Settings | None = None

    async def generate(
        self, prompt_input: PromptInput, sampling: SamplingParams | None, progress: ProgressSink
    ) -> Generation | None:
        """The starter's answer, and the model's loading begun; None where the model itself is the one to ask.

        That is so when it is in memory, when it is small or not on this machine, and when it could not be loaded, so
        that requests say why.
        """
        settings = self._own.settings
        if settings == self._failed or not await self._own.awaited():
            return None
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load(settings))
        if self._starter is None:
            self._starter = Engine(settings)
        self._starter.store.change(attrs.evolve(settings, model="starter", template="", device="cpu", dtype="auto"))
        try:
            return await self._starter.generate(prompt_input, sampling, progress=progress)
        except LlmstepError as error:
            _log.info("the starter has no answer, the model is waited for: %s", error.message)
            return None

    async def close(self) -> None:
        """Give up what is under way."""
        if self._loading is not None:
            self._loading.cancel()
        await self._end()

    async def _load(self, settings: Settings) -> None:
        try:
            await self._own.load()
        except CancelledError:
            return
        except LlmstepError as error:
            _log.info("the model could not be loaded: %s", error.message)
            self._failed = settings
        finally:
            self._loading = None
        await self._end()

    async def _end(self) -> None:
        starter, self._starter = self._starter, None
        if starter is not None:
            await starter.close()
