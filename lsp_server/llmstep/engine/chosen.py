"""Which model the settings mean on this machine, by its devices and their free memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llmstep.catalog.model_key import ModelKey

if TYPE_CHECKING:
    from llmstep.catalog.resolve import ModelChoice
    from llmstep.engine.runner import Runner
    from llmstep.settings import Settings


class Chosen:
    """The model that was looked up last, until the settings mean another one."""

    def __init__(self) -> None:
        self._last: tuple[ModelKey, ModelChoice] | None = None

    async def by(self, settings: Settings, held: Runner | None) -> ModelChoice:
        """The model that the settings mean; looked up in a thread, since that asks the disk and the devices.

        Args:
            settings: Which model, device and format.
            held: The model in memory, which would make room for another.

        Raises:
            ModelError: There is no such model.
        """
        known = self.known(settings)
        if known is None:
            known = await asyncio.to_thread(_resolve, settings, held)
            self._last = (ModelKey.of(settings), known)
        return known

    def known(self, settings: Settings) -> ModelChoice | None:
        """The model that the settings mean, where it was looked up already."""
        return self._last[1] if self._last is not None and self._last[0] == ModelKey.of(settings) else None

    def forget(self) -> None:
        self._last = None


def _resolve(settings: Settings, held: Runner | None) -> ModelChoice:
    """The model that the settings mean on this machine; the one in memory would make room for another."""
    from llmstep.catalog.resolve import Hardware, resolve

    if settings.model.strip().lower() != "auto":
        return resolve(settings)
    from llmstep.engine import device as devices  # may import torch

    device = devices.without_torch(settings.device) or devices.place(settings.device, settings.dtype).device
    freeable = held.plan.weight_bytes if held and held.info.device == device else 0
    return resolve(settings, Hardware(device, devices.free_bytes(device) + freeable))
