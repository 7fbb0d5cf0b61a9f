"""What the tests of a server's life ask it, and the processes that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest
import pytest_asyncio
from lsprotocol.types import Position

from llmstep.lean.process import MARK
from llmstep.lean.server import LeanServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TEXT = "theorem both (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  exact ⟨hp, hq⟩\n"

GOAL = ["p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"]

AT = Position(1, 2)

BUSY = (
    "set_option maxHeartbeats 0 in\nset_option maxRecDepth 1000000 in\ntheorem slow : True := by\n"
    "  iterate 1000000 (first | (have : 1 = 1 := rfl; clear this) | skip)\n  trivial\n"
)


@pytest_asyncio.fixture
async def server_of_the_test(lean_command: tuple[str, ...], tmp_path: Path) -> AsyncIterator[LeanServer]:
    made = LeanServer(lean_command, tmp_path, timeout=60)
    yield made
    await made.stop()


@pytest.fixture
def file_of_the_test(tmp_path: Path) -> str:
    return (tmp_path / "A.lean").as_uri()


def mark_of(pid: int | None) -> str:
    """The mark that all processes of this server carry."""
    return psutil.Process(pid).environ()[MARK]


def members(server: LeanServer, role: str) -> list[int]:
    return [member.pid for member in server.processes() if member.role == role]
