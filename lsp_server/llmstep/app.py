"""The application: settings, model, Lean and memory, put together in one place, and what they do for users.

The language server, the HTTP server and the command line make one of these, and ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstep.automation.source import Automation
from llmstep.catalog.model_key import ModelKey
from llmstep.engine.interface import Generation, ModelEngine
from llmstep.engine.router import EngineRouter, Neighbour
from llmstep.lean.apart import LeanApart
from llmstep.lean.insertion_points import InsertionPoint
from llmstep.lean.workspace import LeanWorkspace
from llmstep.memory import Document, Memory, SuggestionSet
from llmstep.premises.asked import Premises, premises_for
from llmstep.progress import ProgressSink
from llmstep.proofs.plan import Plan
from llmstep.proofs.prover import WholeProver
from llmstep.search.interface import Attempt
from llmstep.search.sorries import Filled
from llmstep.settings import Settings
from llmstep.settings_store import SettingsStore
from llmstep.types import Goal, Premise
from llmstep.use_cases import goal, premises, prove, suggest
from llmstep.use_cases.parts import Parts

if TYPE_CHECKING:
    from lsprotocol.types import Position


class App(Parts):
    """One llmstep. Belongs to one asyncio loop; `close` frees everything.

    Args:
        settings: When they change, what another model suggested is forgotten.
        engine: Proposes steps; None takes the one that the settings mean.
        lean: Gives goals and judges; None takes Lean servers of its own, started when they are first needed.
        memory: Keeps what was found.
        lean_premises: Whether premises may come from Lean, where the settings want that.
    """

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

    async def goal(
        self, document: Document, points: Sequence[InsertionPoint], **options: Any
    ) -> tuple[InsertionPoint, Goal]:
        """See `llmstep.use_cases.goal.find_goal`, which takes the same options."""
        return await goal.find_goal(self, document, points, **options)

    async def suggest(self, document: Document, position: Position, **options: Any) -> SuggestionSet:
        """See `llmstep.use_cases.suggest.suggest`, which takes the same options."""
        return await suggest.suggest(self, document, position, **options)

    async def suggest_unplaced(self, goal: Goal, **options: Any) -> Generation:
        """See `llmstep.use_cases.suggest.suggest_unplaced`, which takes the same options."""
        return await suggest.suggest_unplaced(self, goal, **options)

    async def prove(
        self, document: Document, points: Sequence[InsertionPoint], plan: Plan, progress: ProgressSink
    ) -> Attempt:
        """See `llmstep.use_cases.prove.prove`."""
        return await prove.prove(self, document, points, plan, progress)

    async def fill(self, document: Document, plan: Plan, progress: ProgressSink) -> list[Filled]:
        """See `llmstep.use_cases.prove.fill`."""
        return await prove.fill(self, document, plan, progress)

    async def remember(self, document: Document, now: Document | None, found: Attempt) -> bool:
        """See `llmstep.use_cases.prove.remember`."""
        return await prove.remember(self, document, now, found)

    async def find_premises(
        self, document: Document, point: InsertionPoint, goal: Goal, count: int
    ) -> tuple[str, tuple[Premise, ...]]:
        """See `llmstep.use_cases.premises.find_premises`."""
        return await premises.find_premises(self, document, point, goal, count)

    def prover(self) -> WholeProver:
        """Looks for proofs in many files, one call each."""
        return prove.prover_of(self)

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
