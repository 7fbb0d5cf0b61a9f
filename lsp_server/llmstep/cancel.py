"""Asks work that goes on in a thread to end. Work of an event loop is cancelled as a task."""

from __future__ import annotations

import threading
from typing import Final

from llmstep.errors import CancelledError


class CancelToken:
    """One request to end, from any thread and for good; the work looks at it between its parts."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def requested(self) -> bool:
        """Whether the work is to end."""
        return self._event.is_set()

    def request(self) -> None:
        """Have the work end; a second call does nothing."""
        self._event.set()

    def check(self, message: str, *, hint: str = "") -> None:
        """
        Raises:
            CancelledError: The work is to end; it has this message and hint.
        """
        if self.requested:
            raise CancelledError(message, hint=hint)


NEVER: Final = CancelToken()
"""For work that nobody can end; it is never requested."""
