"""`llmstep.prove` and `llmstep.fillSorries` through a real client: edits that Lean accepts, progress, ways to stop."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from client import SECONDS
from lsp_page import apply
from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import Editor, Page

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]

AND = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  sorry\n"
HELD = (
    'import Lean\nopen Lean Elab Tactic in\nelab "hold" : tactic => do\n  while true do\n'
    '    Core.checkSystem ""\n    IO.sleep 20\n\ntheorem t (p q : Prop) : p ∧ q := by\n  sorry\n'
)
"""With the setting `HOLDS`, a search for its proof ends only when it is stopped."""
HOLDS = {"automationTactics": ["hold"], "check": {"timeoutSeconds": 600, "maxHeartbeats": 0}}
FALSE = "theorem t (p q : Prop) (h : p) : q := by\n  sorry\n"
LIST = {"tactics": "list"}


def structured(edit: Any) -> types.TextEdit:
    start, end = (
        types.Position(edit["range"][side]["line"], edit["range"][side]["character"]) for side in ("start", "end")
    )
    return types.TextEdit(types.Range(start, end), edit["newText"])


async def prove(page: Page, *, token: str | None = None, **more: Any) -> Any:
    argument = {"textDocument": {"uri": page.uri}, "position": page.at("sorry"), **LIST, **more}
    return await page.editor.execute("llmstep.prove", argument, token=token)


async def test_the_proof_is_one_edit_that_lean_accepts(opened: Callable[..., Page], judge: Any) -> None:
    page = opened(AND)
    answer = await prove(page)
    whole = {"strategy", "rounds", "tokens", "partial"}
    assert set(answer) == {"proof", "edit", "expansions", "seconds", "model", "outcome", *whole}
    assert (answer["outcome"], answer["expansions"], answer["model"]) == ("proved", 1, None)
    edit = structured(answer["edit"])
    assert edit.new_text == answer["proof"]
    assert await judge.complaints(apply(page.text, [edit])) == []

    [best] = await page.steps(page.at("sorry"))
    assert best.title == f"{answer['proof']} ✓"
    assert best.is_preferred
    assert page.accept(best) == apply(page.text, [edit])
    [hint] = await page.hints()
    assert list(hint.text_edits or []) == [edit]


async def test_the_code_action_starts_it(opened: Callable[..., Page], judge: Any) -> None:
    """With the model, as the editor does it: the action's command with its own arguments."""
    page = opened("theorem t (p q : Prop) (h : p ∧ q) : q ∧ p := by\n  sorry\n")
    start = await page.started(page.at("sorry"), "llmstep: complete the proof")
    answer = await page.editor.execute(start.command, *start.arguments)
    assert answer["outcome"] == "proved"
    assert answer["model"] == "starter"
    assert await judge.complaints(apply(page.text, [structured(answer["edit"])])) == []


async def test_it_is_put_before_the_suggestions_that_are_known(opened: Callable[..., Page]) -> None:
    page = opened(AND)
    await page.suggest(page.at("sorry"), count=4)
    known = [action.title for action in await page.steps(page.at("sorry"))]
    answer = await prove(page)
    titles = [action.title for action in await page.steps(page.at("sorry"))]
    mark = f"{answer['proof']} ✓"
    assert titles == [mark, *(title for title in known if title != mark)]


async def test_progress_shows_the_depth(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened("theorem t (A B : Prop) (h : A ∨ B) : B ∨ A := by\n  sorry\n")
    answer = await prove(page, token="deep", expansions=12)
    begin, *reports, end = shared.progress["deep"]
    assert (begin["kind"], begin["cancellable"], begin["title"]) == ("begin", True, "llmstep")
    messages = [report["message"] for report in reports]
    assert messages[0] == "Asking Lean for the goal"
    searching = [re.fullmatch(r"Searching: (\d+) expanded, \d+ open, depth (\d+)", each) for each in messages]
    assert [int(each[1]) for each in searching if each] == list(range(answer["expansions"]))
    assert max(int(each[2]) for each in searching if each) >= 1
    percentages = [report["percentage"] for report in reports]
    assert percentages == sorted(percentages)
    assert end["message"] == "Found a proof of 3 steps"


async def test_what_is_not_found(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened(FALSE)
    answer = await prove(page, token="none", expansions=1)
    assert (answer["proof"], answer["edit"], answer["outcome"]) == (None, None, "expansions")
    assert shared.progress["none"][-1]["message"] == "No proof found in 1 expansions"
    assert await page.steps(page.at("sorry")) == []


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ({}, "The argument textDocument of llmstep.prove is missing."),
        ({"position": 3}, "The argument position of llmstep.prove is 3."),
        ({"expansions": 0}, "The argument expansions of llmstep.prove is 0."),
        ({"seconds": "1"}, "The argument seconds of llmstep.prove is '1'."),
        ({"samples": True}, "The argument samples of llmstep.prove is true."),
        ({"tactics": "magic"}, "The argument tactics of llmstep.prove is 'magic'."),
        ({"strategy": "guess"}, "The argument strategy of llmstep.prove is 'guess'."),
        ({"rounds": -1}, "The argument rounds of llmstep.prove is -1."),
        ({"tokens": 1}, "The argument tokens of llmstep.prove is 1."),
        ({"textDocument": {"uri": "file:///not/open.lean"}}, "The file file:///not/open.lean is not open"),
    ],
)
async def test_wrong_arguments(
    opened: Callable[..., Page], shared: Editor, argument: dict[str, Any], sentence: str
) -> None:
    page = opened(AND)
    whole = {"textDocument": {"uri": page.uri}, "position": page.at("sorry"), **argument} if argument else {}
    with pytest.raises(JsonRpcException, match=re.escape(sentence)) as caught:
        await shared.execute("llmstep.prove", whole)
    assert caught.value.code == -32602
    assert caught.value.data["hint"]


async def test_no_goal_is_said(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened(AND)
    argument = {"textDocument": {"uri": page.uri}, "position": page.at("theorem"), **LIST}
    with pytest.raises(JsonRpcException, match="There is no goal here"):
        await shared.execute("llmstep.prove", argument)


async def begin(shared: Editor, page: Page, token: str) -> tuple[str, asyncio.Future[Any]]:
    """Start a search, and wait until it is on its way."""
    argument = {"textDocument": {"uri": page.uri}, "position": page.at("sorry"), **LIST}
    params = types.ExecuteCommandParams("llmstep.prove", [argument], work_done_token=token)
    identifier, run = shared.request(types.WORKSPACE_EXECUTE_COMMAND, params)
    await shared.until(lambda: any("Searching" in each.get("message", "") for each in shared.progress.get(token, [])))
    return identifier, run


async def ended(shared: Editor, run: asyncio.Future[Any], token: str) -> int:
    """The error's code, once the progress has ended too."""
    with pytest.raises(JsonRpcException) as caught:
        await asyncio.wait_for(asyncio.wrap_future(run) if not asyncio.isfuture(run) else run, SECONDS)
    assert shared.progress[token][-1]["kind"] == "end"
    return int(caught.value.code)


async def test_every_way_to_stop(opened: Callable[..., Page], shared: Editor, judge: Any) -> None:
    """The request, the progress, the command, an edit; afterwards the next search works."""
    configure = shared.client.workspace_did_change_configuration
    configure(types.DidChangeConfigurationParams(HOLDS))
    page = opened(HELD)
    identifier, run = await begin(shared, page, "stop1")
    shared.cancel(identifier)
    assert await ended(shared, run, "stop1") == types.LSPErrorCodes.RequestCancelled

    _, run = await begin(shared, page, "stop2")
    shared.client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams("stop2"))
    assert await ended(shared, run, "stop2") == types.LSPErrorCodes.RequestCancelled

    _, run = await begin(shared, page, "stop3")
    assert await shared.execute("llmstep.stop") == {"stopped": 1}
    assert await ended(shared, run, "stop3") == types.LSPErrorCodes.RequestCancelled

    _, run = await begin(shared, page, "stop4")
    page.set(AND)
    assert await ended(shared, run, "stop4") == types.LSPErrorCodes.ContentModified
    configure(types.DidChangeConfigurationParams({"automationTactics": [], "check": {}}))
    answer = await prove(page)
    assert await judge.complaints(apply(page.text, [structured(answer["edit"])])) == []


SORRIES = """-- sorry is a word here
theorem one (p : Prop) (h : p) : p := by
  sorry

theorem two (p q : Prop) (h : p) : q := by
  sorry

theorem three (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  constructor
  · sorry
  · exact hq

theorem four (n : Nat) : n = n ∧ True := ⟨sorry, trivial⟩
"""


async def test_fill_sorries(opened: Callable[..., Page], shared: Editor, judge: Any) -> None:
    page = opened(SORRIES)
    argument = {"textDocument": {"uri": page.uri}, **LIST, "expansions": 1}
    answer = await shared.execute("llmstep.fillSorries", argument, token="fill")
    assert set(answer) == {"proved", "failed"}
    lines = [each["range"]["start"]["line"] for each in answer["proved"]]
    assert lines == [2, 9, 12]
    assert [(each["range"]["start"]["line"], each["reason"]) for each in answer["failed"]] == [(5, "expansions")]
    for each in (*answer["proved"], *answer["failed"]):
        start, end = each["range"]["start"], each["range"]["end"]
        assert SORRIES.split("\n")[start["line"]][start["character"] : end["character"]] == "sorry"
    filled = apply(page.text, [structured(each["edit"]) for each in answer["proved"]])
    assert filled.count("sorry") == 2
    assert await judge.complaints(filled) == ["declaration uses `sorry`"]
    messages = [report["message"] for report in shared.progress["fill"][1:-1]]
    assert [
        each for each in ("1 of 4: ", "2 of 4: ", "4 of 4: ") if not any(m.startswith(each) for m in messages)
    ] == []
    assert shared.progress["fill"][-1]["message"] == "3 of 4 proved"
    best, *_ = await page.actions(page.at("· sorry", 2))
    assert best.title.endswith(" ✓")


async def test_fill_sorries_of_a_file_without_any(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened("theorem t : True := trivial -- no sorry\n")
    argument = {"textDocument": {"uri": page.uri}}
    assert await shared.execute("llmstep.fillSorries", argument) == {"proved": [], "failed": []}
