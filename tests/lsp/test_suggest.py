"""Code actions before and after, the command's result, and progress."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import Editor, Page

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]

AND = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  sorry\n"
OR = "theorem t (p q : Prop) (hp : p) : p ∨ q := by\n  sorry\n"
ASK = "llmstep: suggest the next step"
MORE = "llmstep: more suggestions"
PROVE = "llmstep: complete the proof"
BEFORE = [ASK, PROVE]
"""What the menu has where nothing is known."""
AFTER = [MORE, PROVE]
"""What it has behind the steps that are known."""


def titles(actions: list[types.CodeAction]) -> list[str]:
    return [action.title for action in actions]


async def test_before_anything_is_known_actions_ask(opened: Callable[..., Page]) -> None:
    page = opened(AND)
    actions = await page.actions(page.at("sorry"))
    assert titles(actions) == BEFORE
    ask, prove, *_ = actions
    assert ask.kind == types.CodeActionKind.QuickFix
    assert ask.edit is None
    assert ask.command
    assert ask.command.command == "llmstep.suggest"
    assert ask.command.arguments == ({"textDocument": {"uri": page.uri}, "position": {"line": 1, "character": 2}},)
    assert prove.command
    assert prove.command.command == "llmstep.prove"
    assert prove.command.arguments == ask.command.arguments


@pytest.mark.parametrize("mark", ["theorem t", "(hp : p)"])
async def test_no_action_where_there_is_no_goal(opened: Callable[..., Page], mark: str) -> None:
    page = opened(AND)
    assert await page.actions(page.at(mark)) == []


@pytest.mark.parametrize(
    ("only", "wanted"),
    [(None, True), (["quickfix"], True), ([""], True), (["refactor"], False), (["source.organizeImports"], False)],
)
async def test_the_kind_that_is_asked_for(opened: Callable[..., Page], only: list[str] | None, wanted: bool) -> None:
    page = opened(AND)
    assert bool(await page.actions(page.at("sorry"), only=only)) is wanted


@pytest.mark.parametrize("language", ["lean4", "lean"])
async def test_both_language_ids_of_lean(opened: Callable[..., Page], language: str) -> None:
    page = opened(AND, language=language)
    assert titles(await page.actions(page.at("sorry"))) == BEFORE


async def test_other_languages_are_left_alone(opened: Callable[..., Page]) -> None:
    page = opened(AND, language="markdown")
    assert await page.actions(page.at("sorry")) == []
    with pytest.raises(JsonRpcException, match="language id 'markdown'"):
        await page.suggest(page.at("sorry"))


async def test_an_error_of_lean_offers_the_action(opened: Callable[..., Page]) -> None:
    page = opened("theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  constructor\n  · exact hp\n\n\n")
    unsolved = types.Diagnostic(
        types.Range(page.at("by"), page.at("by", 2)), "unsolved goals\ncase right\np q : Prop\n⊢ q", source="Lean 4"
    )
    assert titles(await page.actions(unsolved.range, diagnostics=[unsolved])) == BEFORE


async def test_the_result_and_the_actions_after_it(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened(OR)
    refreshes = shared.refreshes
    answer = await page.suggest(page.at("sorry"))
    assert set(answer) == {"goal", "model", "elapsedMs", "summary", "suggestions", "rejected"}
    assert answer["goal"] == "p q : Prop\nhp : p\n⊢ p ∨ q"
    assert answer["model"] == "starter"
    assert answer["elapsedMs"] > 0
    assert re.match(r"32 generated, \d+ distinct: ", answer["summary"])
    suggestions = answer["suggestions"]
    order = ["closes", "progress", "unchecked"]
    verdicts = [order.index(each["verdict"]) for each in suggestions]
    assert verdicts == sorted(verdicts)
    for each in suggestions:
        assert set(each) == {"text", "score", "verdict", "source", "repairedFrom", "remainingGoals", "title", "edit"}
        assert each["score"] < 0
        assert bool(each["remainingGoals"]) is (each["verdict"] == "progress")
        assert each["edit"]["range"] == {"start": {"line": 1, "character": 2}, "end": {"line": 1, "character": 7}}
        assert each["edit"]["newText"] == each["text"]
    assert await shared.until(lambda: shared.refreshes > refreshes)

    actions = await page.actions(page.at("sorry"))
    assert titles(actions)[len(suggestions) :] == AFTER
    marks = {"closes": " ✓", "progress": " → 1 goal", "unchecked": ""}
    assert titles(actions[: len(suggestions)]) == [each["text"] + marks[each["verdict"]] for each in suggestions]
    assert [action.is_preferred or False for action in actions] == [True] + [False] * (len(actions) - 1)
    assert actions[0].data["verdict"] == suggestions[0]["verdict"]


async def test_more_suggestions_are_drawn_afresh_and_added(opened: Callable[..., Page]) -> None:
    page = opened("theorem t (p q r : Prop) (hp : p) (hq : q) : p ∧ q ∨ r := by\n  sorry\n")
    first = await page.suggest(page.at("sorry"), count=4)
    again = await page.suggest(page.at("sorry"), count=4)
    assert again["suggestions"] == first["suggestions"]
    more = await page.suggest(page.at("sorry"), count=4, more=True)
    assert more["summary"].startswith("8 generated, ")
    assert {each["text"] for each in first["suggestions"]} <= {each["text"] for each in more["suggestions"]}


async def test_a_prefix_starts_every_suggestion(opened: Callable[..., Page]) -> None:
    page = opened(OR)
    answer = await page.suggest(page.at("sorry"), prefix="exact Or", count=16)
    assert answer["suggestions"], answer["summary"]
    assert all(each["text"].startswith("exact Or") for each in answer["suggestions"])


async def test_a_call_brings_its_prefix_and_is_replaced(opened: Callable[..., Page]) -> None:
    page = opened(OR.replace("sorry", 'llmstep "exact"'))
    answer = await page.suggest(page.at("llmstep"))
    assert answer["suggestions"], answer["summary"]
    for each in answer["suggestions"]:
        assert each["text"].startswith("exact ")
        assert each["edit"]["range"] == {"start": {"line": 1, "character": 2}, "end": {"line": 1, "character": 17}}


async def test_when_lean_refuses_everything_the_summary_says_why(opened: Callable[..., Page]) -> None:
    page = opened(AND)
    answer = await page.suggest(page.at("sorry"), prefix="exact no_such_thing_at_all ", count=4)
    assert answer["suggestions"] == []
    assert re.search(r"rejected \(.*no_such_thing_at_all", answer["summary"])
    assert titles(await page.actions(page.at("sorry"))) == BEFORE


async def test_progress_with_the_clients_token(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened("theorem t (p q : Prop) (hq : q) (hp : p) : p ∧ q := by\n  sorry\n")
    answer = await page.suggest(page.at("sorry"), token="mine")
    begin, *reports, end = shared.progress["mine"]
    assert (begin["kind"], begin["cancellable"], begin["title"]) == ("begin", True, "llmstep")
    assert (end["kind"], end["message"]) == ("end", answer["summary"])
    percentages = [report["percentage"] for report in reports]
    assert percentages == sorted(percentages)
    messages = [report["message"] for report in reports]
    assert messages[0] == "Asking Lean for the goal"
    assert any(re.fullmatch(r"Checking \d+/\d+", message) for message in messages)


async def test_progress_with_a_token_of_the_servers(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened(AND)
    before = set(shared.progress)
    await page.suggest(page.at("sorry"), count=2)
    [token] = set(shared.progress) - before
    assert [shared.progress[token][0]["kind"], shared.progress[token][-1]["kind"]] == ["begin", "end"]


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ({}, "The argument textDocument of llmstep.suggest is missing."),
        ({"textDocument": {}}, "The argument textDocument.uri of llmstep.suggest is missing."),
        ({"position": {"line": -1, "character": 0}}, "The argument position.line of llmstep.suggest is -1."),
        ({"position": "here"}, "The argument position of llmstep.suggest is 'here'."),
        ({"diagnostics": [{"range": {}}]}, "The argument diagnostics[0].range.start of llmstep.suggest is missing."),
        ({"count": 0}, "The argument count of llmstep.suggest is 0."),
        ({"count": True}, "The argument count of llmstep.suggest is true."),
        ({"prefix": 3}, "The argument prefix of llmstep.suggest is 3."),
        ({"more": "yes"}, "The argument more of llmstep.suggest is 'yes'."),
        ({"cuont": 3}, "llmstep.suggest takes no argument 'cuont'."),
        ({"textDocument": {"uri": "file:///not/open.lean"}}, "The file file:///not/open.lean is not open"),
    ],
)
async def test_wrong_arguments(
    opened: Callable[..., Page], shared: Editor, argument: dict[str, Any], sentence: str
) -> None:
    page = opened(AND)
    whole = {"textDocument": {"uri": page.uri}, "position": page.at("sorry"), **argument} if argument else {}
    with pytest.raises(JsonRpcException, match=re.escape(sentence)) as caught:
        await shared.execute("llmstep.suggest", whole)
    assert caught.value.code == -32602
    assert caught.value.data["hint"]


async def test_no_goal_is_told_once_in_one_sentence(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened(AND)
    with pytest.raises(JsonRpcException, match=r"There is no goal here\.") as caught:
        await page.suggest(page.at("theorem"))
    assert caught.value.data == {
        "hint": "Put the cursor at a tactic, a `sorry` or after `by`.",
        "code": "no_goal",
        "retryable": False,
    }
    assert await shared.until(lambda: shared.messages) == [f"There is no goal here. {caught.value.data['hint']}"]


async def test_where_the_user_rests_a_run_begins_by_itself(opened: Callable[..., Page], shared: Editor) -> None:
    """With `onIdle`; asking for code actions is what an editor does when the cursor has moved."""
    configure = shared.client.workspace_did_change_configuration
    configure(types.DidChangeConfigurationParams({"trigger": "onIdle", "idleDelayMs": 50}))
    before = len(shared.statuses)
    page = opened(OR.replace("theorem t", "theorem idle"))
    try:
        assert titles(await page.actions(page.at("sorry"))) == BEFORE
        await shared.until(lambda: any(status.state == "checking" for status in shared.statuses[before:]))
        await shared.until(lambda: shared.statuses[-1].state == "idle")
    finally:
        configure(types.DidChangeConfigurationParams({"trigger": "onDemand"}))
    assert MORE in titles(await page.actions(page.at("sorry")))
    assert shared.messages == []


async def test_details_are_traced_when_the_client_asks(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened(OR)
    await page.suggest(page.at("sorry"), count=2)
    assert shared.traces == []
    shared.client.set_trace(types.SetTraceParams(types.TraceValue.Verbose))
    answer = await page.suggest(page.at("sorry"), count=2)
    await shared.until(lambda: f"{page.uri}, line 2: {answer['summary']}" in shared.traces)
    shared.client.set_trace(types.SetTraceParams(types.TraceValue.Off))


async def test_an_unknown_command(shared: Editor) -> None:
    with pytest.raises(JsonRpcException, match=r"There is no command llmstep\.dance"):
        await shared.execute("llmstep.dance")


async def test_edits_are_applied_in_utf16(opened: Callable[..., Page]) -> None:
    """Edits beside characters of two units, combining ones, and separators that only Python takes for line ends."""
    page = opened("-- 𝔸\x0c e\u0301 \u2028 x\ntheorem t (𝔸 : Prop) (é : 𝔸) : 𝔸 := by /- 𝔸 -/ exact é\n")
    page.replace("x\n", "y\n")
    page.replace("exact é", "sorry")
    page.replace("𝔸\x0c", "𝔸𝔸\x0c")
    answer = await page.suggest(page.at("sorry"), count=8)
    assert answer["goal"] == "𝔸 : Prop\né : 𝔸\n⊢ 𝔸"
    assert answer["suggestions"]
    start = page.at("sorry").character  # the blank in front of it is replaced, too
    for each in answer["suggestions"]:
        assert each["edit"]["range"] == {
            "start": {"line": 1, "character": start - 1},
            "end": {"line": 1, "character": start + 5},
        }
    page.set(AND)
    assert (await page.suggest(page.at("sorry"), count=2))["goal"].endswith("⊢ p ∧ q")


async def test_an_editor_that_has_no_questions_gets_the_summary(opened: Callable[..., Page], shared: Editor) -> None:
    page = opened(OR)
    answer = await page.suggest(page.at("sorry"), prefix="exact no_such_thing_at_all ", count=4)
    assert answer["rejected"]
    assert await shared.until(lambda: shared.messages) == [f"No step was found: {answer['summary']}."]


async def test_a_call_that_the_tactic_has_answered_offers_nothing_twice(opened: Callable[..., Page]) -> None:
    """Lean's own code actions have the tactic's steps; ours come behind them, and without these."""
    page = opened(OR.replace("sorry", "llmstep"))
    place = types.Range(page.at("llmstep"), page.at("llmstep", 7))
    head = "llmstep: 4 suggestions, 2 distinct: 1 closing the goal, 1 leaving goals, 0 rejected"

    def said(*entries: str) -> list[types.Diagnostic]:
        return [types.Diagnostic(place, "\n  [apply] ".join([head, *entries]), source="Lean 4")]

    answered = said("exact Or.inl hp -- closes the goal", "constructor\n  Remaining goals:\n  ⊢ p")
    assert titles(await page.actions(place, diagnostics=answered)) == AFTER
    answer = await page.suggest(page.at("llmstep"))
    first, *rest = [each["text"] for each in answer["suggestions"]]
    actions = await page.actions(place, diagnostics=said(f"{first} -- closes the goal"))
    assert [action.data is not None for action in actions] == [True] * len(rest) + [False] * len(AFTER)
    assert first not in {title.removesuffix(" ✓") for title in titles(actions)}
    assert {action.kind for action in actions} == {"llmstep"}  # which VS Code shows behind all quick fixes
    # without its answer, because no server was there for example, ours are what there is
    failed = [types.Diagnostic(place, "llmstep: no server answers at http://127.0.0.1:6000/", source="Lean 4")]
    assert (await page.actions(place, diagnostics=failed))[0].is_preferred
