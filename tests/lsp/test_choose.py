"""Turning to another suggestion of a goal: the hint follows, and what is accepted is what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lsp_page import apply
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from test_suggest import AND

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import Editor, Page

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]


SEVERAL = "theorem t (p q : Prop) : p → q → p := by\n  sorry\n"
"""A goal with several steps that the starter knows: names are free."""


async def known_page(opened: Callable[..., Page]) -> tuple[Page, list[Any]]:
    page = opened(SEVERAL)
    found = (await page.suggest(page.at("sorry")))["suggestions"]
    assert len(found) > 1
    return page, found


async def ask(page: Page, command: str, **more: Any) -> Any:
    argument = {"textDocument": {"uri": page.uri}, "position": page.at("sorry"), **more}
    return await page.editor.execute(command, argument)


async def test_the_hint_follows_and_comes_round(opened: Callable[..., Page], shared: Editor) -> None:
    page, found = await known_page(opened)
    assert (await ask(page, "llmstep.accept"))["text"] == found[0]["text"]
    before = shared.refreshes
    second = await ask(page, "llmstep.choose", step=1)
    assert (second["text"], second["index"], second["count"]) == (found[1]["text"], 1, len(found))
    await shared.until(lambda: shared.refreshes > before)
    [hint] = await page.hints()
    assert str(hint.label).removesuffix(" ✓") == found[1]["text"]
    assert isinstance(hint.tooltip, types.MarkupContent)
    assert hint.tooltip.value.startswith(f"```lean\n{found[1]['text']}\n```")
    assert f"- `{found[0]['text']}" in hint.tooltip.value  # the best is among the others now
    assert (await ask(page, "llmstep.choose", step=-2))["index"] == len(found) - 1
    assert (await ask(page, "llmstep.choose", step=1))["index"] == 0


async def test_the_edit_of_what_is_accepted_satisfies_lean(opened: Callable[..., Page], judge: Any) -> None:
    page = opened(AND)
    await page.suggest(page.at("sorry"))
    accepted = await ask(page, "llmstep.accept")
    assert accepted["verdict"] == "closes"
    edit = accepted["edit"]
    start, end = (types.Position(at["line"], at["character"]) for at in (edit["range"]["start"], edit["range"]["end"]))
    text = apply(page.text, [types.TextEdit(types.Range(start, end), edit["newText"])])
    assert accepted["text"] in text
    assert await judge.complaints(text) == []


async def test_another_run_keeps_the_choice(opened: Callable[..., Page]) -> None:
    page, found = await known_page(opened)
    chosen = await ask(page, "llmstep.choose", step=1)
    assert chosen["text"] == found[1]["text"]
    await page.suggest(page.at("sorry"), more=True)
    assert (await ask(page, "llmstep.accept"))["text"] == chosen["text"]


async def test_where_nothing_is_known(opened: Callable[..., Page]) -> None:
    page = opened(SEVERAL.replace("theorem t", "theorem unknown"))
    assert await ask(page, "llmstep.accept") is None
    assert await ask(page, "llmstep.choose", step=1) is None


@pytest.mark.parametrize("more", [{"step": "next"}, {"step": True}, {"position": None}])
async def test_a_wrong_argument_is_refused(opened: Callable[..., Page], more: Any) -> None:
    page = opened(SEVERAL)
    with pytest.raises(JsonRpcException, match=rf"The argument {next(iter(more))} of llmstep\.choose is "):
        await page.editor.execute(
            "llmstep.choose", {"textDocument": {"uri": page.uri}, "position": page.at("sorry")} | more
        )
