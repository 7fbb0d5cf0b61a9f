"""Which goal's step the editor shows as ghost text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstep.memory import SuggestionSet


class Ghost:
    """The goal whose step was last given as ghost text, so that its hint does not show the step a second time."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._goal: tuple[str, str] | None = None

    def shows(self, known: SuggestionSet) -> bool:
        return self._goal == (known.uri, known.key)

    def given(self, known: SuggestionSet | None) -> None:
        """Ghost text was given for this goal; with None there is none."""
        goal = (known.uri, known.key) if known else None
        if goal != self._goal:
            self._goal = goal
            self._on_change()

    def cursor_at(self, known: SuggestionSet | None) -> None:
        """The cursor is at this goal; ghost text of another one has gone."""
        if self._goal is not None and (known is None or not self.shows(known)):
            self.given(None)
