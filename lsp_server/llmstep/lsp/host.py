"""What the wire needs of the session that it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from llmstep.lsp.documents import NewText
    from llmstep.lsp.upkeep import Upkeep


class Host(Protocol):
    """What receives the messages: the session, which is pygls' server."""

    upkeep: Upkeep

    def edited(self, new: NewText) -> None: ...

    def begin_closing(self) -> None: ...

    def leave(self, status: int) -> None: ...
