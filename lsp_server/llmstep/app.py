"""The application: settings, model, Lean and memory, put together in one place, and what they do for users.

The language server, the HTTP server and the command line make one of these, and ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from llmstep.automation.source import Automation
from llmstep.catalog.model_key import ModelKey
from llmstep.engine.interface import ModelEngine
from llmstep.engine.router import EngineRouter, Neighbour
from llmstep.lean.apart import LeanApart
from llmstep.lean.workspace import LeanWorkspace
from llmstep.memory import Memory
from llmstep.premises.asked import Premises, premises_for
from llmstep.settings import Settings
from llmstep.settings_store import SettingsStore
from llmstep.use_cases import goal as goals
from llmstep.use_cases import prove as proving
from llmstep.use_cases import suggest as suggesting
from llmstep.use_cases.parts import Parts


class App(Parts):
    """One llmstep. Belongs to one asyncio loop; `close` frees everything.

    Args:
        settings: When they change, what another model suggested is forgotten.
        engine: Proposes steps; None takes the one that the settings mean.
        lean: Gives goals and judges; None takes Lean servers of its own, started when they are first needed.
        memory: Keeps what was found.
        lean_premises: Whether premises may come from Lean, where the settings want that.
    """

    # A use case takes the parts that it works with first, so it is a method of what has them.
    goal = goals.find_goal
    suggest = suggesting.suggest
    suggest_unplaced = suggesting.suggest_unplaced
    prove = proving.prove
    fill = proving.fill
    remember = proving.remember
    prover = proving.prover_of
    find_premises = goals.find_premises

    def __init__(
        self,
        settings: Settings | SettingsStore,
        *,
        engine: ModelEngine | None = None,
        lean: LeanWorkspace | None = None,
        memory: Memory | None = None,
        lean_premises: bool = True,
    ) -> None:
        self._lean_premises = lean_premises
        store = SettingsStore.of(settings)
        workspace = lean or LeanWorkspace(store)
        super().__init__(store, engine or EngineRouter(store), workspace, memory or Memory(), Automation(), None)
        self.premises = self._find_premises()
        store.subscribe(_source, self._forget)
        workspace.on_outdated = self._outdated

    @classmethod
    def beside_editor(
        cls, store: SettingsStore, folders: Callable[[], Sequence[Path]], neighbour: Neighbour, memory: Memory
    ) -> App:
        """One for an editor: Lean has an event loop of its own, and the starter answers while a large model is loaded.

        Args:
            store: The settings, which the editor may change.
            folders: Gives the folders that the editor has opened.
            neighbour: Gives the llmstep that lends its model.
            memory: Keeps what was found.
        """
        engine = EngineRouter(store, neighbour, with_fallback=True)
        return cls(store, engine=engine, lean=LeanApart(store, folders), memory=memory)

    async def __aenter__(self) -> App:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop Lean, and free the model."""
        await self.lean.close()
        await self.engine.close()

    def _forget(self, *_: object) -> None:
        """Another model, or other premises: what was suggested is no longer what would be."""
        self.memory.forget()
        self.premises = self._find_premises()

    def _find_premises(self) -> Premises | None:
        return premises_for(self.settings, self.lean if self._lean_premises else None)

    def _outdated(self, uri: str) -> None:
        """The imports of a document have changed: nothing that is known of it holds any more."""
        self.memory.forget(uri)
        self.automation.missing.forget(uri)


def _source(settings: Settings) -> tuple[object, ...]:
    """What decides where suggestions come from; another engine or server may answer otherwise with the same model."""
    return (ModelKey.of(settings), settings.engine, settings.remote, settings.premises)
