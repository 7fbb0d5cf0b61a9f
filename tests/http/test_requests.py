from __future__ import annotations

import json

import pytest

from llmstep.errors import RequestError
from llmstep.http.steps import decode_generate, decode_tactic
from llmstep.types import Goal, PromptInput


def body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def test_upstream_body() -> None:
    request = decode_tactic(body(tactic_state="p : Prop\n⊢ p → p", prefix="intro", context="import Mathlib\n"))
    assert request.ask == PromptInput(Goal("p : Prop\n⊢ p → p"), prefix="intro", context="import Mathlib\n")
    assert request.count is None


def test_name_and_proof_are_read_off_the_end_of_the_context() -> None:
    context = "namespace A\ntheorem b (p : Prop) (h : p) : p := by\r\n  have k := h\r\n  "
    ask = decode_tactic(body(tactic_state="⊢ p", prefix="exact ", context=context)).ask
    assert ask == PromptInput(Goal("⊢ p"), "exact ", context.replace("\r\n", "\n"), "A.b", "have k := h")
    outside = decode_tactic(body(tactic_state="⊢ p", context=context + "exact k\n\n-- a comment: ")).ask
    assert (outside.declaration, outside.proof) == ("", "")


def test_a_state_of_several_goals() -> None:
    ask = decode_tactic(body(tactic_state="case left\n⊢ p\n\ncase right\n⊢ q\n")).ask
    assert ask.goal == Goal("case left\n⊢ p", ("case right\n⊢ q",))
    assert (ask.prefix, ask.context) == ("", "")


def test_null_is_absent_and_unknown_fields_are_ignored() -> None:
    request = decode_tactic(body(tactic_state="⊢ p", prefix=None, context=None, count=None, future={"a": 1}))
    assert request.ask == PromptInput(Goal("⊢ p"))
    assert request.count is None


def test_a_whole_number_may_have_a_point() -> None:
    assert decode_tactic(body(tactic_state="⊢ p", count=2.0)).count == 2


def test_leancopilot_body() -> None:
    request = decode_generate(body(name="wellecks/llmstep", input="⊢ p\n\n⊢ q", prefix="rw"))
    assert request.ask == PromptInput(Goal("⊢ p", ("⊢ q",)), prefix="rw")


MALFORMED = [
    (b"", "The body is not JSON: Expecting value (line 1, column 1)."),
    (b"{", "The body is not JSON: Expecting property name enclosed in double quotes (line 1, column 2)."),
    (b"tactic_state=a", "The body is not JSON: Expecting value (line 1, column 1)."),
    (b'{"tactic_state": "\xff"}', "The body is not UTF-8."),
    (b"[" * 200_000, "The body is nested too deeply."),
    (b"[]", "The body is an empty list, not an object."),
    (b'"x"', "The body is a text, not an object."),
    (b"null", "The body is null, not an object."),
    (b"true", "The body is true, not an object."),
    (b"12", "The body is a number, not an object."),
    (b"{}", 'The field "tactic_state" is missing.'),
    (body(tactic_state=" \n"), r"""The field "tactic_state" is ' \n'."""),
    (body(tactic_state=None), 'The field "tactic_state" is missing.'),
    (body(tactic_state=["a"]), 'The field "tactic_state" is a list.'),
    (body(tactic_state="⊢ p", prefix=3), 'The field "prefix" is 3.'),
    (body(tactic_state="⊢ p", context={}), 'The field "context" is an object.'),
    (b'{"tactic_state": "\\ud800"}', r"""The field "tactic_state" is '\ud800'."""),
    (body(tactic_state="⊢ p", count=0), 'The field "count" is 0.'),
    (body(tactic_state="⊢ p", count=257), 'The field "count" is 257.'),
    (body(tactic_state="⊢ p", count=2.5), 'The field "count" is 2.5.'),
    (body(tactic_state="⊢ p", count=True), 'The field "count" is true.'),
    (body(tactic_state="⊢ p", count="5"), """The field "count" is '5'."""),
    (body(tactic_state="⊢ p", count=[1]), 'The field "count" is a list.'),
]


@pytest.mark.parametrize(("sent", "message"), MALFORMED)
def test_malformed_bodies_say_what_is_wrong(sent: bytes, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        decode_tactic(sent)
    assert caught.value.message == message
    assert caught.value.hint


def test_malformed_leancopilot_bodies() -> None:
    with pytest.raises(RequestError, match=r'The field "input" is missing\.'):
        decode_generate(body(name="m", prefix=""))
    with pytest.raises(RequestError, match=r'The field "name" is 1\.'):
        decode_generate(body(name=1, input="⊢ p"))
