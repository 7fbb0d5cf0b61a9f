"""What is refused by text alone; the verdicts with Lean are in `cases/verdicts.txt`."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstep.lean.insertion_points import find_insertion_point
from llmstep.lean.lexer import LexicalError, lex
from llmstep.lean.prefilter import MAX_LENGTH, prefilter
from llmstep.lean.text import position_at
from llmstep.lean.vocabulary import COMMANDS, NATIVE, OUTSIDE, RUNNING, UNSOUND

TEXT = "theorem t (p : Prop) (h : p) : p := by\n  sorry\n"
SITE = find_insertion_point(TEXT, position_at(TEXT, TEXT.index("sorry")))
assert SITE is not None


def refused(candidate: str, **options: bool) -> str | None:
    assert SITE is not None
    return prefilter(candidate, SITE, {"p", "h"}, **options)


@pytest.mark.parametrize("word", sorted(RUNNING | UNSOUND | NATIVE | OUTSIDE | COMMANDS))
def test_no_word_hides(word: str) -> None:
    places = [
        *(f"skip {word} x", f"skip\n  {word} x", f"skip;{word} x", f"exact (h){word} x", f"skip λ{word} x"),
        *(f"exact h <;>{word} x", f'skip "a"{word} x', f"skip -- c\n{word} x", f"skip /- c -/{word} x"),
        *(f'skip s!"a {{{word} x}} b"', f"skip 1{word} x", f"skip .{word} x", f"skip «a»{word} x", f"skip é{word} x"),
    ]
    assert [text for text in places if refused(text) is None] == []


@pytest.mark.parametrize("word", sorted(RUNNING | UNSOUND | NATIVE))
def test_a_name_space_hides_no_program(word: str) -> None:
    bare = word.rstrip("%")
    if bare != word:
        return
    assert [x for x in (f"exact A.{word}", f"exact «{word}»", f"exact _root_.A.{word} h") if refused(x) is None] == []


def test_compiled_code_counts_where_the_user_says_so() -> None:
    assert (
        refused("native_decide") == "It uses `native_decide`, which trusts compiled code (`check.allowNativeDecide`)."
    )
    assert refused("native_decide", native=True) is None
    assert refused("exact sorryAx _", native=True) == "It uses `sorryAx`, which proves nothing."


def test_options_of_tactics_take_constructors() -> None:
    for value in (
        ".pos [1, 2]",
        ".neg [3]",
        ".all",
        "some 5",
        "Occurrences.pos [1]",
        "{ maxSteps := 5, ground := true }",
        "Foo.options",
    ):
        assert refused(f"rw (occs := {value}) [h]") is None, value
    for value in (".pow 10 10", "Nat.succ .zero", "List.length [1]", "f", "{ Foo.options 5 with ground := true }"):
        assert refused(f"rw (occs := {value}) [h]") is not None, value


@pytest.mark.parametrize("name", ["r'", "rest'", "t"])
def test_a_theorem_is_known_by_its_name(name: str) -> None:
    text = TEXT.replace("theorem t", f"theorem {name}")
    point = find_insertion_point(text, position_at(text, text.index("sorry")))
    assert point is not None
    assert prefilter(f"exact {name}", point) == f"It uses the theorem itself: `{name}`."


def test_the_longest_candidate() -> None:
    assert refused("exact " + "h" * (MAX_LENGTH - 6)) is None
    assert refused("exact " + "h" * (MAX_LENGTH - 5)) == "It is longer than 4096 characters."
    started = time.monotonic()
    assert refused("(" * 10_000_000) == "It is longer than 4096 characters."
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        "exact h\r\n",
        "have k := h\r\nexact k",
        "exact\th",
        "exact h\n\n\n",
        "exact #[1, 2].size",
        "exact #v[1]",
        "simp [#s]",
        "aesop (add unsafe 50% apply h)",
        "linear_combination (norm := ring_nf) h",
        "linear_combination (norm := skip) (exp := 2) h",
    ],
)
def test_what_a_model_may_write(text: str) -> None:
    assert refused(text) is None


@given(st.text(alphabet=st.sampled_from("abrun_tac \n\"'«»{}()-/!\\.sλ#@r%;é"), max_size=60))
def test_a_program_is_a_token_wherever_lean_reads_one(text: str) -> None:
    """With what goes before, the word stands in code, in a comment, or in a string without braces."""
    try:
        before = lex(text)
        all_ = lex(text + "\nrun_tac x")
    except LexicalError:
        return
    assert [each.text for each in all_][: len(before)] == [each.text for each in before]
    assert "run_tac" in [part for each in all_ for part in each.parts]
