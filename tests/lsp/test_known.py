"""What a panel shows: `llmstep/known`, word of changes, links in hints; a message where there is no panel."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import pytest_asyncio
from client import CAPABILITIES, Editor, Page, editor
from lsp_page import apply
from lsprotocol import types
from output_schema import check_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="module")]

TWO = (
    "-- 𝔸\ntheorem t (p q : Prop) (h : q) : p → q → p := by\n  /- 𝔸 -/ sorry\n\n-- near\ntheorem u : True := trivial\n"
)
BAD = "exact no_such_thing_at_all "


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def panel(folder: Path, options: dict[str, Any]) -> AsyncIterator[Editor]:
    """An editor with a panel; what it was told of changes is in `told`."""
    made = Editor()
    made.told = []  # type: ignore[attr-defined]

    @made.client.feature("llmstep/knownChanged")
    def _changed(params: Any) -> None:
        made.told.append(params.textDocument.uri)  # type: ignore[attr-defined]

    capabilities = {**CAPABILITIES, "experimental": {"llmstepKnown": True, "llmstepMessages": True}}
    async with editor(folder, made=made, options=options, capabilities=capabilities) as it:
        yield it


async def known(page: Page, at: types.Position, **more: Any) -> Any:
    params = {"textDocument": {"uri": page.uri}, "position": at, **more}
    answer = plain(await page.editor.client.protocol.send_request_async("llmstep/known", params))
    check_answer("llmstep/known", answer)
    return answer


def plain(answer: Any) -> Any:
    """pygls' objects as dictionaries."""
    if hasattr(answer, "_asdict"):
        return {key: plain(value) for key, value in answer._asdict().items()}
    return [plain(each) for each in answer] if isinstance(answer, list) else answer


async def test_what_is_known_and_word_of_every_check(panel: Editor, folder: Path) -> None:
    page = panel.open(folder / "Panel.lean", TWO)
    here = page.at("/ sorry", 3)
    assert await known(page, here) is None
    answer = await page.suggest(here, count=32)
    judged = len(answer["suggestions"]) + len(answer["rejected"])
    assert panel.told.count(page.uri) >= judged  # type: ignore[attr-defined]

    seen = await known(page, here)
    assert {key: seen[key] for key in answer} == plain(answer)
    assert seen["goals"] == ["p q : Prop\nh : q\n⊢ p → q → p"]
    assert (seen["version"], seen["working"]) == (1, False)
    assert await known(page, types.Position(0, 0)) is None

    # edits are for the text as it is, also below an edit
    page.replace("theorem u", "theorem v")
    seen = await known(page, here)
    assert seen["version"] == 2
    edit = seen["suggestions"][0]["edit"]
    place = types.Range(types.Position(**edit["range"]["start"]), types.Position(**edit["range"]["end"]))
    changed = apply(page.text, [types.TextEdit(place, edit["newText"])])
    assert changed == page.text.replace("sorry", seen["suggestions"][0]["text"])
    page.replace("(h : q)", "(h : p)")
    assert await known(page, here) is None
    page.close()


async def test_every_refused_step_has_a_reason(panel: Editor, folder: Path) -> None:
    page = panel.open(folder / "Refused.lean", TWO)
    answer = await page.suggest(page.at("/ sorry", 3), prefix=BAD, count=4)
    assert answer["suggestions"] == []
    assert answer["rejected"]
    for each in answer["rejected"]:
        assert each["text"].startswith(BAD.strip())
        assert "no_such_thing_at_all" in each["reason"]
    assert panel.messages == []
    page.close()


async def test_the_hint_has_links_that_insert_the_others(panel: Editor, folder: Path) -> None:
    page = panel.open(folder / "Links.lean", TWO)
    here = page.at("/ sorry", 3)
    answer = await page.suggest(here)
    [hint] = await page.hints()
    assert isinstance(hint.tooltip, types.MarkupContent)
    links = re.findall(r"\]\(command:llmstep\.insert\?([^)\s]+)\)", hint.tooltip.value)
    others = [each["text"] for each in answer["suggestions"][1:10]]
    assert others
    arguments = [json.loads(unquote(link))[0] for link in links]
    assert [each["text"] for each in arguments] == others
    for each in arguments:
        at = types.Position(**each["position"])
        assert others[0] in [step["text"] for step in (await known(page, at))["suggestions"]]
    page.close()


@pytest.mark.parametrize(
    "params", [{}, {"textDocument": {"uri": 3}}, {"textDocument": {"uri": "a"}, "position": {}}, None]
)
async def test_a_malformed_question_is_refused_and_the_server_goes_on(panel: Editor, folder: Path, params: Any) -> None:
    with pytest.raises(Exception, match=r".+"):
        await panel.client.protocol.send_request_async("llmstep/known", params)
    page = panel.open(folder / "On.lean", TWO)
    assert await known(page, types.Position(0, 0)) is None
    page.close()


@pytest.mark.parametrize("button", ["Show rejected", None])
async def test_without_a_panel_a_message_says_why_nothing_is_offered(
    folder: Path, options: dict[str, Any], button: str | None
) -> None:
    made = Editor()
    asked: list[Any] = []

    async def press(params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
        asked.append(params)
        return None if button is None else types.MessageActionItem(button)

    made.answer(types.WINDOW_SHOW_MESSAGE_REQUEST, press)
    capabilities = {**CAPABILITIES, "window": {"showMessage": {}}}
    async with editor(folder, made=made, options=options, capabilities=capabilities) as it:
        page = it.open(folder / "Plain.lean", TWO)
        answer = await page.suggest(page.at("/ sorry", 3), prefix=BAD, count=4)
        [question] = await it.until(lambda: asked)
        assert question.message == f"No step was found: {answer['summary']}."
        assert [action.title for action in question.actions] == ["Show rejected"]
        if button is not None:
            [listing] = await it.until(lambda: it.messages)
            first, *lines = listing.splitlines()
            assert first == "Lean rejected:"
            assert len(lines) == len(answer["rejected"])
            assert lines[0].startswith(" ".join(answer["rejected"][0]["text"].split()) + ": ")


async def test_refused_tactics_of_lean_are_told_to_a_panel_alone(folder: Path, options: dict[str, Any]) -> None:
    own = {**options, "automation": "on", "automationTactics": ["rfl", "no_such_tactic", "simp_all"]}
    async with editor(folder, options=own) as made:
        page = made.open(folder / "Tactics.lean", TWO)
        here = page.at("/ sorry", 3)
        answer = await page.suggest(here, count=2)
        seen = await known(page, here)
    assert [each["text"] for each in seen["rejectedTactics"]] == ["rfl"]
    assert "rfl" not in [each["text"] for each in answer["rejected"]]
    assert "2 of Lean" not in answer["summary"]
