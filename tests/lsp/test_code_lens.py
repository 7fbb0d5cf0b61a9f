"""Code lenses: off at first; at each `sorry` that is a proof, with commands that work as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types
from test_models import push

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import Editor, Page

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]

TEXT = """-- 𝔸 no sorry here
theorem t (p q : Prop) (hp : p) : p ∨ q := by
  /- 𝔸𝔸 sorry -/ sorry

theorem u : True := sorry
"""


async def lenses(page: Page) -> list[types.CodeLens]:
    answer = await page.editor.client.text_document_code_lens_async(types.CodeLensParams(page.id))
    return list(answer or [])


async def test_each_sorry_has_a_link_for_a_step_and_for_a_proof(
    opened: Callable[..., Page], shared: Editor, options: dict[str, Any]
) -> None:
    page = opened(TEXT)
    assert await lenses(page) == []
    push(shared, {"llmstep": {**options, "codeLens": True}})
    found = await lenses(page)
    places = [
        types.Range(page.at("-/ sorry", 3), page.at("-/ sorry", 8)),
        types.Range(page.at(":= sorry", 3), page.at(":= sorry", 8)),
    ]
    assert [(lens.range, lens.command.title) for lens in found if lens.command] == [
        (place, title) for place in places for title in ("suggest", "prove")
    ]
    command = found[0].command
    assert command
    answer = await shared.execute(command.command, *(command.arguments or []))
    assert answer["suggestions"][0]["verdict"] == "closes"
    push(shared, {"llmstep": options})
    assert await lenses(page) == []
