"""Whole proofs by a scripted model that makes typical mistakes: what Lean accepts at the end, and what went back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from scripted_model import PLAN, Reply, fenced

from llmstep.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]

OR = "theorem t (p q : Prop) (h : p ∨ q) : q ∨ p"
AND = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q"
# None of Lean's own tactics closes it, so that repairs are left to the model.
HARD = "theorem t (r : Nat → Nat → Prop) (h0 : r 0 7) (k : ∀ i n, r i n → r (i + 1) n) : r 9 7"
WRONG, RIGHT = "  iterate 9 apply step\n  exact h0", "  iterate 9 apply k\n  exact h0"
GOOD = "  rcases h with h | h\n  · exact Or.inr h\n  · exact Or.inl h"


def goal(statement: str) -> str:
    return f"{statement} := by\n  §sorry\n\ntheorem after : True := trivial\n"


def whole(statement: str, proof: str) -> str:
    return fenced(f"{statement} := by\n{proof}")


# The answers of the model, and how many of them it takes.
PROVED: dict[str, tuple[str, list[Reply | str], int]] = {
    "at once": (OR, [whole(OR, GOOD)], 1),
    "a wrong name": (
        HARD,
        [whole(HARD, WRONG), whole(HARD, RIGHT)],
        2,
    ),
    "a missing case, which Lean's own tactics close": (
        OR,
        [whole(OR, "  cases h with\n  | inl h => exact Or.inr h")],
        1,
    ),
    "a goal that is left, which Lean's own tactics close": (
        OR,
        [whole(OR, "  rcases h with h | h\n  · exact Or.inr h\n  · left")],
        1,
    ),
    "a `sorry` of its own": (AND, [whole(AND, "  constructor\n  · exact hp\n  · sorry")], 1),
    "another statement, whose proof is good here too": (
        AND,
        [whole(AND.replace("hp : p", "hp : p ∧ p"), "  exact ⟨by simp_all, hq⟩")],
        1,
    ),
    "another statement, whose proof is not": (
        HARD,
        [whole("theorem t (p : Nat → Prop) : p = p", "  rfl"), whole(HARD, RIGHT)],
        2,
    ),
    "no code, then code": (HARD, ["I would use k.", whole(HARD, RIGHT)], 2),
    "a thought in a field of its own": (OR, [Reply(whole(OR, GOOD), thought="cases, surely")], 1),
    "a step behind the end of the proof": (AND, [whole(AND, "  constructor\n  · exact hp\n  · exact hq\n  simp")], 1),
    "lemmas in front": (
        AND,
        [fenced(f"lemma help (r : Prop) (hr : r) : r := by\n  exact hr\n\n{AND} := by\n  exact ⟨help p hp, hq⟩")],
        1,
    ),
    "a name space that the file does not open": (
        OR,
        [fenced(f"open Or\n\n{OR} := by\n  rcases h with h | h\n  · exact inr h\n  · exact inl h")],
        1,
    ),
}


@pytest.mark.parametrize(("statement", "answers", "rounds"), PROVED.values(), ids=PROVED.keys())
async def test_a_proof_comes_out(
    run: Callable[..., Any],
    complaints: Callable[[str], list[str]],
    statement: str,
    answers: list[Reply | str],
    rounds: int,
) -> None:
    made = await run(goal(statement), answers)
    assert (made.found.outcome, made.found.strategy, made.found.rounds) == ("proved", "write", rounds)
    assert made.found.partial is None
    assert complaints(made.text) == []
    assert statement in made.text


async def test_errors_go_back_with_their_places(run: Callable[..., Any]) -> None:
    made = await run(
        goal(HARD),
        [
            whole(HARD, "  have a := h0\n  iterate 9 apply step\n  exact a"),
            whole(HARD, RIGHT),
        ],
    )
    first, second = made.model.asked
    assert first["messages"][-1]["role"] == "user"
    assert f"{HARD} := by\n  sorry" in first["messages"][-1]["content"]
    assert "theorem after" not in first["messages"][-1]["content"], "what stands behind the goal is not shown"
    said = second["messages"][-1]["content"]
    assert "Error 1, at line 3:" in said
    assert "iterate 9 apply <error>step</error>" in said
    assert "nknown identifier `step`" in said
    assert second["temperature"] > first["temperature"]
    assert "Writing a proof (round 1 of 3)" in made.messages
    assert "Repairing the proof (round 2 of 3)" in made.messages


async def test_an_example_is_shown_as_it_is(run: Callable[..., Any]) -> None:
    """For Lean it has a name."""
    text = HARD.replace("theorem t", "example")
    made = await run(goal(text), [whole(text, WRONG), whole(text, RIGHT)])
    assert made.found.outcome == "proved"
    [said] = [each["content"] for each in made.model.asked[1]["messages"] if each["role"] == "assistant"]
    assert said.startswith(f"```lean4\n{text} := by\n  iterate 9 apply step\n  exact h0\n```")


async def test_a_part_of_a_proof_is_offered(run: Callable[..., Any], complaints: Callable[[str], list[str]]) -> None:
    """Two of three goals cannot be proved: the third, and all around them, stays."""
    text = "theorem t (p q r : Prop) (hp : p) : p ∧ q ∧ r"
    proof = "  refine ⟨hp, ?_, ?_⟩\n  · exact hq\n  · exact hr"
    made = await run(goal(text), [whole(text, proof)])
    found = made.found
    assert (found.outcome, found.proof, found.edit) == ("partial", None, None)
    assert found.rounds == PLAN.rounds + 1
    assert found.partial.proof == "refine ⟨hp, ?_, ?_⟩\n· sorry\n· sorry"
    assert [each.splitlines()[-1] for each in found.partial.goals] == ["⊢ q", "⊢ r"]
    assert complaints(made.text) == ["declaration uses `sorry`"]


async def test_gaps_go_to_the_search_of_the_starter(
    run: Callable[..., Any], complaints: Callable[[str], list[str]]
) -> None:
    """Lean's own tactics are switched off."""
    text = HARD.replace("r 9 7", "r 2 7 ∧ r 0 7")
    proof = "  constructor\n  · exact step 7 h0\n  · exact h0"
    made = await run(goal(text), [whole(text, proof)], attrs.evolve(PLAN, rounds=0), automation="off")
    assert made.found.outcome == "proved"
    assert made.found.proof.startswith("constructor\n· ")
    assert made.found.proof.endswith("\n· exact h0")
    assert 1 <= made.found.expansions <= PLAN.expansions
    assert any(message.startswith("Filling gap 1 of 1: Searching") for message in made.messages)
    assert not any("own tactics" in message for message in made.messages)
    assert complaints(made.text) == []


@pytest.mark.parametrize(
    "proof",
    [
        '  run_tac do IO.FS.writeFile "x" ""',
        "  exact h\n\n#eval 1",
        "  exact h\n\naxiom cheat : False",
        "  exact t r h0 k",
        "  native_decide",
        "  exact sorryAx _",
        "  exact h\nend\ntheorem u : True := by\n  trivial",
        "  simp [by_elab]",
        "  " + "have a := h\n  " * 4000 + "exact a",
    ],
    ids=[
        "a program",
        "a command",
        "an axiom",
        "the theorem itself",
        "compiled code",
        "an axiom of Lean",
        "the declaration ends",
        "a program in a term",
        "far too long",
    ],
)
async def test_what_may_not_be_in_a_proof(run: Callable[..., Any], proof: str) -> None:
    """Lean never sees it, or does not take it; nothing is offered."""
    plan = attrs.evolve(PLAN, rounds=0, expansions=1)
    made = await run(goal(HARD), [whole(HARD, proof)], plan)
    text = made.found.proof or (made.found.partial.proof if made.found.partial else "")
    words = ("run_tac", "#eval", "axiom", "native", "sorryAx", "by_elab", "theorem", "t r h0")
    assert not [word for word in words if word in text]


async def test_an_answer_without_end(run: Callable[..., Any]) -> None:
    """It is cut off soon after its budget, and the next round says so."""
    plan = attrs.evolve(PLAN, rounds=1, tokens=1200)
    made = await run(goal(HARD), [Reply("<think>", endless=True), whole(HARD, RIGHT)], plan)
    assert made.found.outcome == "proved"
    assert made.model.left == 1
    assert made.model.asked[0]["max_tokens"] == 600
    assert "cut off before it came to the proof" in made.model.asked[1]["messages"][-1]["content"]


async def test_the_budget_of_tokens(run: Callable[..., Any]) -> None:
    plan = attrs.evolve(PLAN, rounds=9, tokens=600, expansions=1)
    made = await run(goal(HARD), [Reply("<think>" + "hm " * 800, finish="length")], plan)
    assert made.found.proof is None
    assert made.found.outcome == "tokens"
    assert len(made.model.asked) < 4


async def test_the_budget_of_seconds_leaves_what_there_is(run: Callable[..., Any]) -> None:
    """The second answer takes too long: the part that the first one gave is offered."""
    text = "theorem t (p q : Prop) (hp : p) : p ∧ q"
    plan = attrs.evolve(PLAN, seconds=8.0)
    answers = [whole(text, "  constructor\n  · exact hp\n  · exact hq"), Reply("x ", endless=True, pause=0.05)]
    made = await run(goal(text), answers, plan)
    assert made.found.outcome == "partial"
    assert made.found.partial.goals == ("case right\np q : Prop\nhp : p\n⊢ q",)


async def test_it_can_be_cancelled(run: Callable[..., Any]) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def script(*_: Any) -> Reply:
        loop.call_soon_threadsafe(asked.set)
        return Reply("x ", endless=True, pause=0.05)

    task = asyncio.ensure_future(run(goal(HARD), script))
    await asyncio.wait_for(asked.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 60)


async def test_a_server_that_fails_later(run: Callable[..., Any]) -> None:
    """What the first answer gave is not lost."""
    text = "theorem t (p q : Prop) (hp : p) : p ∧ q"
    answers: list[Reply | str] = [
        whole(text, "  constructor\n  · exact hp\n  · exact hq"),
        Reply("no such thing", status=422),
    ]
    made = await run(goal(text), answers)
    assert made.found.outcome == "partial"


async def test_places_of_all_kinds(run: Callable[..., Any], complaints: Callable[[str], list[str]]) -> None:
    """The model restates the whole theorem, of which only the part at the place is taken."""
    head = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  constructor\n"
    answer = fenced(f"{head}  · have a := hp\n    exact a\n  · exact hq")
    for text in (
        f"{head}  · §sorry\n  · exact hq\n",
        f"{head}  · §sorry\n  · exact hq\n".replace("\n", "\r\n"),
        "-- 𝔸\ntheorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := ⟨§sorry, hq⟩\n",
        "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  have b : p := by\n    §sorry\n  exact ⟨b, hq⟩\n",
    ):
        steps = fenced("have a := hp\nexact a")
        made = await run(text, [answer if "·" in text else steps])
        assert made.found.outcome == "proved", text
        assert complaints(made.text) == []
        assert "have a := hp" in made.text


async def test_a_file_that_is_too_long_for_the_model(run: Callable[..., Any]) -> None:
    """It is asked again with less of the file, which keeps its beginning and its end."""
    above = "-- the beginning\n" + "".join(f"def number{i} : Nat := {i}\n" for i in range(1200))

    def script(messages: list[dict[str, str]], number: int) -> Reply | str:
        if len(messages[-1]["content"]) > 9000:
            return Reply("This model's maximum context length is 3000 tokens.", status=400)
        return whole(OR, GOOD)

    made = await run(above + goal(OR), script)
    assert made.found.outcome == "proved"
    said = made.model.asked[-1]["messages"][-1]["content"]
    assert "-- the beginning" in said
    assert OR in said


async def test_what_does_not_go_together(run: Callable[..., Any]) -> None:
    with pytest.raises(RequestError, match="The strategy write needs a model"):
        await run(goal(OR), [""], attrs.evolve(PLAN, strategy="write", tactics="list"))


async def test_a_sketch_of_the_model_is_filled(run: Callable[..., Any], complaints: Callable[[str], list[str]]) -> None:
    text = "theorem t (p q r : Prop) (hp : p) (hpq : p → q) (hqr : q → r) : r ∧ q"
    answer = whole(text, "  have hq : q := sorry\n  have hr : r := sorry\n  exact ⟨hr, hq⟩")
    made = await run(goal(text), [answer], attrs.evolve(PLAN, strategy="sketch"))
    assert (made.found.outcome, made.found.strategy, made.found.rounds) == ("proved", "sketch", 1)
    assert "Write a sketch only" in made.model.asked[0]["messages"][-1]["content"]
    assert "have hq : q := " in made.found.proof
    assert complaints(made.text) == []
