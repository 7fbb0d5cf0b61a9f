"""The goal at a cursor is the one that Lean shows there: by kinds of cursors, over proofs in many layouts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import cursor_kinds
import pytest
import pytest_asyncio

from llmstep.lean.server import LeanServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(lean_command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LeanServer]:
    server = LeanServer(lean_command, tmp_path_factory.mktemp("cursors"), timeout=120)
    yield server
    await server.stop()


async def test_ninety_nine_of_a_hundred_of_each_kind(server: LeanServer) -> None:
    files = cursor_kinds.read([])
    seen = [each for name, text in files.items() for each in await cursor_kinds.measure(server, name, text)]
    print(cursor_kinds.table(seen))
    for kind in cursor_kinds.KINDS:
        tried = [each for each in seen if each.kind == kind]
        others = [each for each in tried if not each.same]
        assert tried
        assert 100 * len(others) <= len(tried), others
    assert len(seen) >= 800


async def test_blanks_at_line_ends_and_line_breaks_of_two_characters_change_nothing(server: LeanServer) -> None:
    text = re.sub(r"(?<=\S)\n", "  \r\n", cursor_kinds.read([])["logic_course.lean"])
    seen = await cursor_kinds.measure(server, "crlf.lean", text)
    assert [each for each in seen if not each.same] == []
    assert len(seen) >= 100


OF_THEIR_OWN = [
    "      rw [h₁‸]",
    "  cases‸ h <;> first",
    "  cases ‸h <;> first",
    "  if hp : p then rw [if_pos‸ hp]",
    "  if hp : p then rw [if_pos ‸hp]",
    "  if hp : p then rw [if_pos hp‸]",
    "    rw [if_neg‸ hp]",
    "    rw [if_neg ‸hp]",
    "    rw [if_neg hp‸]",
]
"""Cursors of `styles.lean` inside of steps that leave no goal: docs/cursors.md promises the goal in front of them."""


async def test_every_cursor_of_a_file_in_many_styles(server: LeanServer) -> None:
    text = (Path(__file__).parent / "cases" / "styles.lean").read_text(encoding="utf-8")
    seen = await cursor_kinds.measure(server, "styles.lean", text, cursor_kinds.everywhere)
    assert [each.text for each in seen if not each.same] == OF_THEIR_OWN
    assert len(seen) >= 400
