"""Whole proofs by a scripted model through a real client: repaired, in part, for each `sorry` of a file, stopped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from lsp_page import apply
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from scripted_model import Reply, ScriptedModel, fenced
from test_models import push
from test_prove import structured
from waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from client import Editor, Page

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]

HARD = "theorem t (r : Nat → Nat → Prop) (h0 : r 0 7) (k : ∀ i n, r i n → r (i + 1) n) : r 9 7"
WRONG = fenced(f"{HARD} := by\n  iterate 9 apply step\n  exact h0")
RIGHT = fenced(f"{HARD} := by\n  iterate 9 apply k\n  exact h0")
PART = "theorem u (p q : Prop) (hp : p) : p ∧ q"


@pytest_asyncio.fixture(loop_scope="session")
async def model(shared: Editor) -> AsyncIterator[ScriptedModel]:
    """The model of the shared editor, for one test."""
    with ScriptedModel([WRONG, RIGHT]) as made:
        push(shared, {"llmstep": {"engine": "openai", "remote": {"url": made.url}, "proveRounds": 1}})
        await shared.until(lambda: shared.statuses and shared.statuses[-1].engine == "openai")
        yield made
        push(shared, {"llmstep": {"engine": "auto", "remote": {"url": ""}, "proveRounds": 3}})
        await shared.until(lambda: shared.statuses and shared.statuses[-1].engine != "openai")


async def prove(page: Page, mark: str = "sorry", *, token: str | None = None, **more: Any) -> Any:
    argument = {"textDocument": {"uri": page.uri}, "position": page.at(mark), "expansions": 4, **more}
    return await page.editor.execute("llmstep.prove", argument, token=token)


async def test_a_proof_is_repaired(
    opened: Callable[..., Page], shared: Editor, model: ScriptedModel, judge: Any
) -> None:
    """By the code action, whose strategy the model's name decides."""
    page = opened(f"{HARD} := by\n  sorry\n")
    start = await page.started(page.at("sorry"), "llmstep: complete the proof")
    answer = await page.editor.execute(start.command, *start.arguments, token="write")
    assert (answer["outcome"], answer["strategy"], answer["rounds"]) == ("proved", "write", 2)
    assert answer["model"] == model.name
    assert answer["tokens"] > 0
    assert answer["partial"] is None
    assert await judge.complaints(apply(page.text, [structured(answer["edit"])])) == []
    messages = [report["message"] for report in shared.progress["write"][1:-1]]
    assert "Repairing the proof (round 2 of 2)" in messages
    assert shared.progress["write"][-1]["message"] == "Found a proof in 2 rounds"
    assert "Error 1, at line 2:" in model.asked[1]["messages"][-1]["content"]
    best, *_ = await page.actions(page.at("sorry"))
    assert best.title == "iterate 9 apply k … ✓"
    assert page.accept(best) == apply(page.text, [structured(answer["edit"])])


async def test_a_part_of_a_proof_is_offered(
    opened: Callable[..., Page], shared: Editor, model: ScriptedModel, judge: Any
) -> None:
    model.script = [fenced(f"{PART} := by\n  constructor\n  · exact hp\n  · exact hq")]
    page = opened(f"{PART} := by\n  sorry\n")
    answer = await prove(page, token="part")
    assert (answer["outcome"], answer["proof"], answer["edit"]) == ("partial", None, None)
    assert answer["partial"]["proof"] == "constructor\n· exact hp\n· sorry"
    assert [goal.splitlines()[-1] for goal in answer["partial"]["goals"]] == ["⊢ q"]
    assert shared.progress["part"][-1]["message"] == "Proves it except for 1 goal"
    best, *_ = await page.actions(page.at("sorry"))
    assert best.title == "constructor … proves it except for 1 goal"
    changed = page.accept(best)
    assert changed == apply(page.text, [structured(answer["partial"]["edit"])])
    assert await judge.complaints(changed) == ["declaration uses `sorry`"]


async def test_fill_sorries_writes_as_well(opened: Callable[..., Page], model: ScriptedModel, judge: Any) -> None:
    def script(messages: list[dict[str, str]], number: int) -> str:
        asked = messages[0]["content"] + messages[-1]["content"]
        return fenced(f"{PART} := by\n  constructor\n  · exact hp\n  · exact hq") if "theorem u" in asked else RIGHT

    model.script = script
    page = opened(f"{HARD} := by\n  sorry\n\n{PART} := by\n  sorry\n")
    argument = {"textDocument": {"uri": page.uri}, "expansions": 2, "rounds": 0}
    answer = await page.editor.execute("llmstep.fillSorries", argument)
    assert [each["proof"] for each in answer["proved"]] == ["iterate 9 apply k\nexact h0"]
    [failed] = answer["failed"]
    assert failed["reason"] == "partial"
    assert len(failed["partial"]["goals"]) == 1
    filled = apply(page.text, [structured(each["edit"]) for each in answer["proved"]])
    assert await judge.complaints(filled) == ["declaration uses `sorry`"]


async def test_an_answer_is_stopped(opened: Callable[..., Page], shared: Editor, model: ScriptedModel) -> None:
    model.script = [Reply("<think>", endless=True, pause=0.05)]
    page = opened(f"{HARD} := by\n  sorry\n")
    run = asyncio.ensure_future(prove(page, token="stop"))
    await shared.until(lambda: any("tokens" in each.get("message", "") for each in shared.progress.get("stop", [])))
    assert await shared.execute("llmstep.stop") == {"stopped": 1}
    with pytest.raises(JsonRpcException) as caught:
        await run
    assert caught.value.code == types.LSPErrorCodes.RequestCancelled
    await until(lambda: model.left == 1)  # the server's answer is ended as well
