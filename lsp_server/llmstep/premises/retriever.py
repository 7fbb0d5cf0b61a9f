"""Premises from an index, by ReProver's encoder. Loads torch when it is first asked."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import unquote

import attrs

from llmstep.errors import SettingsError
from llmstep.lean.text import position_at

if TYPE_CHECKING:
    from llmstep.premises.encoder import Encoder
    from llmstep.premises.index import PremiseIndex
    from llmstep.premises.source import Whereabouts
    from llmstep.types import Goal, Premise


@attrs.define(eq=False, slots=False)
class Retriever:
    """The nearest premises of an index."""

    folder: str
    """The index, as `llmstep index` wrote it."""
    device: str = "auto"
    threads: int = 0
    """As in the settings, like the device."""
    _loaded: tuple[PremiseIndex, Encoder] | None = attrs.field(init=False, default=None)
    _turns: ThreadPoolExecutor = attrs.field(init=False, factory=lambda: ThreadPoolExecutor(1))
    """One model, one question at a time: who is cancelled leaves it, and the next one waits for its end."""

    async def find(self, goal: Goal, where: Whereabouts | None, count: int, seconds: float) -> tuple[Premise, ...]:
        """See `PremiseSource.find`; it is so quick that it needs no limit.

        Raises:
            SettingsError: No index is set.
            ModelError: The index or its encoder cannot be loaded.
        """
        if not self.folder:
            raise SettingsError(
                "The setting llmstep.premises.source is index, but llmstep.premises.index is empty.",
                hint="Make one with `llmstep index`, and set llmstep.premises.index to its folder.",
            )
        return await asyncio.get_running_loop().run_in_executor(self._turns, self._find, goal.state, where, count)

    def _find(self, state: str, where: Whereabouts | None, count: int) -> tuple[Premise, ...]:
        index, encoder = self._ready()
        allowed = None
        if where is not None:
            line = position_at(where.text, where.point.declaration.start).line + 1
            allowed = index.accessible(where.text, unquote(where.uri), line)
        [query] = encoder.embed([state])
        return tuple(premise for premise, _ in index.nearest(query, count, allowed))

    def _ready(self) -> tuple[PremiseIndex, Encoder]:
        if self._loaded is None:
            from llmstep.engine.loaded import require

            require("The index of premises", "torch", "transformers")
            from llmstep.catalog.store import path_of
            from llmstep.premises.encoder import Encoder
            from llmstep.premises.index import PremiseIndex

            index = PremiseIndex.load(path_of(self.folder))
            self._loaded = index, Encoder(index.encoder, self.device, self.threads)
        return self._loaded
