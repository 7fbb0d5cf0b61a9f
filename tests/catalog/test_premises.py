"""Premises in front of a goal, as ReProver's authors put them there."""

from __future__ import annotations

import pytest

from llmstep.catalog.template import in_front, marked
from llmstep.catalog.templates import get_template
from llmstep.engine.prompt import encode
from llmstep.types import Goal, Premise, PromptInput


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("Nat.add_comm", "theorem add_comm (n m) : n + m", "theorem <a>Nat.add_comm</a> (n m) : n + m"),
        ("Nat.add_comm", "theorem Nat.add_comm : x", "theorem <a>Nat.add_comm</a> : x"),
        ("A.B.c", "lemma B.c (h : c) : c", "lemma <a>A.B.c</a> (h : c) : c"),  # the longest end, and only that
        ("A.c", "lemma _root_.A.c : x", "lemma <a>A.c</a> : x"),
        ("A.«b c»", "def «b c» := 1", "def <a>A.«b c»</a> := 1"),
        ("A.type", "def «type» := 1", "def <a>A.type</a> := 1"),
        ("foo", "@[simp]\ntheorem\n  foo : x = foo", "@[simp]\ntheorem\n  <a>foo</a> : x = <a>foo</a>"),
        ("List.getLast?", "def getLast? : x", "def <a>List.getLast?</a> : x"),
        ("A.mk", "structure A where", "structure A where"),  # its name is not in the code
    ],
)
def test_the_full_name_is_marked(name: str, code: str, expected: str) -> None:
    assert marked(Premise(name, code)) == expected


def test_the_best_is_next_to_the_state_and_what_is_too_long_is_passed_over() -> None:
    best, long, short = Premise("a", "d a α"), Premise("b", "d b " + "x" * 50), Premise("c", "d c")
    sizes = [len(marked(each).encode()) + 2 for each in (best, long, short)]
    state = "⊢ p"
    every = len(state.encode()) + sum(sizes)
    assert in_front(state, (best, long, short), every) == f"d <a>c</a>\n\nd <a>b</a> {'x' * 50}\n\nd <a>a</a> α\n\n"
    assert in_front(state, (best, long, short), every - 1) == f"d <a>b</a> {'x' * 50}\n\nd <a>a</a> α\n\n"
    assert in_front(state, (best, long, short), every - sizes[1]) == "d <a>c</a>\n\nd <a>a</a> α\n\n"
    assert in_front(state, (best, long, short), len(state.encode()) + sizes[0] - 1) == "d <a>c</a>\n\n"
    assert in_front(state, (best, long, short), len(state.encode()) + sizes[2] - 1) == ""


def test_premises_fill_the_prompt_to_its_last_byte_and_never_cost_the_state_anything() -> None:
    from transformers import ByT5Tokenizer

    template, tokenizer = get_template("byt5-retrieval"), ByT5Tokenizer()
    state = "h : α\n⊢ p"
    room = 2300 - len(state.encode())
    filling = Premise("n", "t n ")
    filling = Premise("n", "t n " + "y" * (room - len(marked(filling)) - 2))
    prompt = encode(template, PromptInput(Goal(state), premises=(filling,)), tokenizer, 10_000)
    assert len(prompt.input_ids) == 2301
    assert not prompt.cut
    assert bytes(byte - 3 for byte in prompt.input_ids[:-1]).decode().endswith("y\n\n" + state)
    one_more = Premise("n", filling.code + "y")
    assert encode(template, PromptInput(Goal(state), premises=(one_more,)), tokenizer, 10_000).input_ids == [
        *(byte + 3 for byte in state.encode()),
        1,
    ]
    long = "h : p\n" * 500 + "⊢ p"
    cut = encode(template, PromptInput(Goal(long), premises=(Premise("n", "t n"),)), tokenizer, 10_000)
    text = bytes(byte - 3 for byte in cut.input_ids[:-1]).decode()
    assert text.startswith("h : p\n")
    assert text.endswith("\n⊢ p")
    assert len(text.encode()) <= 2300
    narrow = encode(template, PromptInput(Goal(state), premises=(filling,)), tokenizer, 200)
    text = bytes(byte - 3 for byte in narrow.input_ids[:-1]).decode()
    assert text.endswith("y\n\n" + state)  # a model with fewer positions loses the premises farthest from the state
    assert len(narrow.input_ids) == 200
