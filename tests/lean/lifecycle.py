"""What the tests of a server's life ask it, and the processes that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
from lsprotocol.types import Position

from llmstep.lean.process import MARK

if TYPE_CHECKING:
    from llmstep.lean.server import LeanServer

TEXT = "theorem both (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  exact ⟨hp, hq⟩\n"

GOAL = ["p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"]

AT = Position(1, 2)

BUSY = (
    "set_option maxHeartbeats 0 in\nset_option maxRecDepth 1000000 in\ntheorem slow : True := by\n"
    "  iterate 1000000 (first | (have : 1 = 1 := rfl; clear this) | skip)\n  trivial\n"
)


def mark_of(pid: int | None) -> str:
    """The mark that all processes of this server carry."""
    return psutil.Process(pid).environ()[MARK]


def members(server: LeanServer, role: str) -> list[int]:
    return [member.pid for member in server.processes() if member.role == role]
