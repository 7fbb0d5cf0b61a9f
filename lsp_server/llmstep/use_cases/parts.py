"""What the use cases work with, and who may stand in for llmstep's own Lean."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import attrs

from llmstep.automation.source import Automation
from llmstep.engine.interface import ModelEngine
from llmstep.lean.insertion_points import InsertionPoint
from llmstep.lean.workspace import LeanWorkspace
from llmstep.memory import Document, Memory
from llmstep.premises.asked import Premises
from llmstep.settings import Settings
from llmstep.settings_store import SettingsStore
from llmstep.types import Check, Goal

GoalSource = Callable[[Document, InsertionPoint], Awaitable[Goal]]
"""Gives the goal at an insertion point; raises NoGoalError where there is none."""

CheckSource = Callable[
    [Document, InsertionPoint, Goal, Sequence[str], Callable[[int, Check], None]], Awaitable[list[Check] | None]
]
"""Judges candidates, reporting each with its index; None where it cannot, so that our own Lean has to."""


@attrs.define(eq=False)
class Parts:
    """One of each; settings and premises may be replaced between two calls."""

    store: SettingsStore
    engine: ModelEngine
    lean: LeanWorkspace
    memory: Memory
    automation: Automation
    premises: Premises | None
    """None where the settings want none, or Lean's own and there is no Lean."""

    @property
    def settings(self) -> Settings:
        return self.store.current
