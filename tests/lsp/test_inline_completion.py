"""Ghost text: off at first, from memory, where it stands, and that Lean takes what it inserts."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from lsp_page import apply
from lsprotocol import types
from test_models import push
from test_suggest import AND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from client import Editor, Page

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]

BLANK = "-- 𝔸\ntheorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  \n\ntheorem u : True := trivial\n"
SEVERAL = "theorem t (p q : Prop) : p → q → p := by\n  sorry\n"


async def ghosts(page: Page, at: types.Position) -> list[types.InlineCompletionItem]:
    context = types.InlineCompletionContext(trigger_kind=types.InlineCompletionTriggerKind.Automatic)
    params = types.InlineCompletionParams(context=context, text_document=page.id, position=at)
    answer = await page.editor.client.text_document_inline_completion_async(params)
    assert isinstance(answer, list)
    return answer


@pytest_asyncio.fixture(loop_scope="session")
async def on(shared: Editor, options: dict[str, Any]) -> AsyncIterator[None]:
    push(shared, {"llmstep": {**options, "inlineCompletion": {"enabled": True}}})
    yield
    push(shared, {"llmstep": options})


async def test_the_capability_is_announced(shared: Editor) -> None:
    assert shared.result.capabilities.inline_completion_provider


async def test_off_unless_wanted(opened: Callable[..., Page]) -> None:
    page = opened(AND)
    await page.suggest(page.at("sorry"))
    assert await ghosts(page, page.at("sorry")) == []


@pytest.mark.usefixtures("on")
async def test_nothing_before_anything_is_known_and_nothing_is_begun(
    opened: Callable[..., Page], shared: Editor
) -> None:
    page = opened(BLANK)
    before = len(shared.statuses)
    assert await ghosts(page, types.Position(2, 2)) == []
    assert [status.state for status in shared.statuses[before:] if status.state != "idle"] == []


@pytest.mark.usefixtures("on")
async def test_at_a_blank_line(opened: Callable[..., Page], judge: Any) -> None:
    page = opened(BLANK)
    here = types.Position(2, 2)
    found = (await page.suggest(here))["suggestions"]
    items = await ghosts(page, here)
    assert [item.insert_text for item in items] == ["  " + each["text"] for each in found]
    assert items[0].range == types.Range(types.Position(2, 0), here)  # the indentation is replaced by the same
    assert items[0].filter_text is None
    text = apply(page.text, [types.TextEdit(items[0].range, str(items[0].insert_text))])
    assert text == BLANK.replace("\n  \n", f"\n  {found[0]['text']}\n")
    assert found[0]["verdict"] == "closes"
    assert await judge.complaints(text) == []
    assert await ghosts(page, types.Position(4, 3)) == []  # another theorem


@pytest.mark.usefixtures("on")
async def test_in_place_of_sorry(opened: Callable[..., Page], judge: Any) -> None:
    page = opened(AND)
    [best, *_] = (await page.suggest(page.at("sorry")))["suggestions"]
    place = types.Range(page.at("sorry"), page.at("sorry", 5))
    for shift in (0, 3, 5):
        [item, *_] = await ghosts(page, page.at("sorry", shift))
        assert (item.insert_text, item.range, item.filter_text) == (best["edit"]["newText"], place, "sorry")
    assert await ghosts(page, page.at("  sorry")) == []  # the cursor is not at it
    assert await judge.complaints(apply(page.text, [types.TextEdit(place, best["text"])])) == []


@pytest.mark.usefixtures("on")
async def test_the_one_that_the_hint_shows_comes_first(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened(SEVERAL)
    found = [each["text"] for each in (await page.suggest(page.at("sorry")))["suggestions"]]
    assert len(found) > 1
    argument = {"textDocument": {"uri": page.uri}, "position": page.at("sorry"), "step": 1}
    await shared.execute("llmstep.choose", argument)
    [hint] = await page.hints()
    texts = [item.insert_text for item in await ghosts(page, page.at("sorry"))]
    assert str(hint.label).startswith(found[1])
    assert texts == [found[1], found[0], *found[2:]]


@pytest.mark.usefixtures("on")
async def test_an_edit_takes_it_away(opened: Callable[..., Page]) -> None:
    page = opened(BLANK)
    here = types.Position(2, 2)
    await page.suggest(here)
    assert await ghosts(page, here)
    page.replace("(hp : p)", "(hr : p)")
    assert await ghosts(page, here) == []


async def test_hints_without_edits(opened: Callable[..., Page], shared: Editor, options: dict[str, Any]) -> None:
    """`inlayHints.insertOnDoubleClick`: the hint is to be read, and double-clicking it does nothing."""
    page = opened(AND)
    await page.suggest(page.at("sorry"))
    [hint] = await page.hints()
    assert hint.text_edits
    push(shared, {"llmstep": {**options, "inlayHints": {"insertOnDoubleClick": False}}})
    [bare] = await page.hints()
    assert bare.text_edits is None
    assert (bare.label, bare.position, bare.tooltip) == (hint.label, hint.position, hint.tooltip)
    push(shared, {"llmstep": options})


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_settings_hold_for_the_request_behind_them(
    opened: Callable[..., Page], shared: Editor, options: dict[str, Any]
) -> None:
    """However late a busy server reads both: here it is stopped until they have come."""
    assert shared.process is not None
    page = opened(AND)
    await page.suggest(page.at("sorry"))
    whole = types.Range(types.Position(0, 0), types.Position(10, 0))
    for inserts in (False, True):
        shared.process.send_signal(signal.SIGSTOP)
        try:
            push(shared, {"llmstep": {**options, "inlayHints": {"insertOnDoubleClick": inserts}}})
            _, asked = shared.request(types.TEXT_DOCUMENT_INLAY_HINT, types.InlayHintParams(page.id, whole))
        finally:
            shared.process.send_signal(signal.SIGCONT)
        [hint] = await asked
        assert (hint.text_edits is not None) is inserts
    push(shared, {"llmstep": options})


@pytest.mark.usefixtures("on")
async def test_no_line_shows_a_step_as_hint_and_as_ghost_text(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened(AND)
    await page.suggest(page.at("sorry"))
    assert await page.hints() != []
    refreshes = shared.refreshes
    assert await ghosts(page, page.at("sorry"))
    assert await shared.until(lambda: shared.refreshes > refreshes)
    assert await page.hints() == []

    # a cursor in the same line changes nothing, one elsewhere brings the hint back
    await page.actions(page.at("sorry", 3))
    assert await page.hints() == []
    refreshes = shared.refreshes
    await page.actions(types.Position(0, 0))
    assert await shared.until(lambda: shared.refreshes > refreshes)
    assert await page.hints() != []
