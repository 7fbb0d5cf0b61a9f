"""What holds for every text: nothing is lost, nothing fails, and no text takes longer than its length."""

from __future__ import annotations

import re
import time

import layout_figures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol.types import Position

from llmstep.lean.elide import elide
from llmstep.lean.insertion_points import find_insertion_points
from llmstep.lean.step import step_of
from llmstep.lean.text import mask, minimal_edit, offset_at, position_at, range_at

from .lines_run import lines_run

HEAD = "theorem t (p : Prop) (hp : p) : p := by\n"
PIECES = (
    *(
        "(",
        ")",
        "⟨",
        "⟩",
        "[",
        "]",
        "{",
        "}",
        "by ",
        "by\n",
        "· ",
        ". ",
        "| ",
        "|x| ",
        "=> ",
        "case x => ",
        "next =>\n",
    ),
    *(
        "cases h with\n",
        "match h with ",
        "first ",
        "<;> ",
        "; ",
        ", ",
        ":= ",
        "else ",
        "if h then ",
        "fun x => ",
        "intro ",
    ),
    *("have : p := by\n", "exact ", "exact hp\n", "simp [", "rw [h", "sorry ", "llmstep ", "_ ", "conv =>\n", "calc "),
    *("exact? ", "theorem u : p := ", "problem v : p := ", "end\n", "private ", "@[", "@[simp]\n", "mutual\n", "#x "),
    *("-- ", "/- ", "-/ ", '"', 's!"{', 'r#"', "'", "'a'", "«", "»", "\\", "\n", "\r\n", "\n  ", "\n    ", "\t", " "),
    *("𝔸", "é", "\u2028", "\ufeff", "h", "x.y ", "0 "),
)
texts = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)
any_text = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n𝔸a"), max_size=60)
CODE = ("x ", "𝔸 := by\n  ", "exact h'\r\n", "(a - b) ", "rw [h]\n\n", "«x y» ", "")
HIDDEN = ("-- it's 𝔸 /- \"\n", "/- 𝔸\r\n /- in -/ -- \n -/", '/-- " -/', '"-- 𝔸 \\" /-"', "-- «\r\n")
"""Comments and strings that end by themselves."""
lines = any_text | st.lists(st.sampled_from(["\r\n", "\n", "\r", "𝔸", "a", "\u2028"]), max_size=12).map("".join)
units = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)


@given(texts)
@settings(deadline=None, max_examples=400)
def test_a_mask_keeps_the_length_and_the_line_breaks(text: str) -> None:
    masked = mask(text)
    assert [len(line) for line in masked.split("\n")] == [len(line) for line in text.split("\n")]
    assert all(now in {was, " "} for was, now in zip(text, masked, strict=True))
    assert mask(masked) == masked


def hidden_of(text: str) -> str:
    """A comment or a string as a mask has it: blanks, its line breaks, and the quotes of a string."""
    blank = re.sub(r"[^\r\n]", " ", text)
    return f'"{blank[1:-1]}"' if text.startswith('"') else blank


@given(st.lists(st.tuples(st.sampled_from(CODE), st.sampled_from(HIDDEN)), max_size=12), st.sampled_from(CODE))
@settings(deadline=None, max_examples=200)
def test_a_mask_hides_comments_and_strings_and_nothing_else(pairs: list[tuple[str, str]], last: str) -> None:
    text = "".join(code + hidden for code, hidden in pairs) + last
    assert mask(text) == "".join(code + hidden_of(hidden) for code, hidden in pairs) + last


@given(texts)
@settings(deadline=None, max_examples=400)
def test_the_mask_of_a_step_is_that_of_its_text(text: str) -> None:
    step = step_of(text)
    assert step.masked == mask(step.text)
    assert step_of(step.text).lines == step.lines


@given(texts, texts)
@settings(deadline=None, max_examples=200)
def test_in_front_of_an_insertion_point_the_mask_does_not_depend_on_what_follows(text: str, after: str) -> None:
    whole = HEAD + text + after
    for point in find_insertion_points(whole, position_at(whole, len(HEAD + text))):
        for offset in (point.start, point.declaration.start, point.declaration.known):
            assert mask(whole)[:offset] == mask(whole[:offset])


@given(texts, st.integers(0, 400))
@settings(deadline=None, max_examples=200)
def test_what_is_elided_keeps_every_offset(text: str, end: int) -> None:
    text = HEAD + "  exact hp\n" + text
    elided = elide(text, min(end, len(text)))
    assert [len(line) for line in elided.split("\n")] == [len(line) for line in text.split("\n")]
    assert elided[end:] == text[end:]


@given(lines, st.integers(0, 60))
@settings(deadline=None, max_examples=400)
def test_positions_go_there_and_back(text: str, offset: int) -> None:
    offset = min(offset, len(text))
    position = position_at(text, offset)
    if text[offset - 1 : offset + 1] != "\r\n":  # inside a line break there is no position
        assert offset_at(text, position) == offset
    line = text.split("\n")[position.line]
    before = line[: offset - (len(text[:offset]) - len(text[:offset].split("\n")[-1]))]
    assert position.character == len(before.encode("utf-16-le")) // 2


@given(lines, lines, lines, lines)
@settings(deadline=None, max_examples=400)
def test_a_minimal_edit_gives_the_new_text(before: str, old: str, new: str, after: str) -> None:
    first, second = before + old + after, before + new + after
    edit = minimal_edit(first, second)
    if edit is None:
        assert first == second
        return
    start, end = offset_at(first, edit.range.start), offset_at(first, edit.range.end)
    assert edit.range == range_at(first, start, end)
    assert first[:start] + edit.new_text + first[end:] == second
    gone, come = first[start:end], edit.new_text
    if gone and come:  # they begin and end alike in half a line break only
        assert gone[0] != come[0] or gone[0] == "\r"
        if gone[-1] == come[-1]:
            assert gone[-1] == "\n"
            assert "\r" in (first[end - 2 : end - 1], second[start + len(come) - 2 : start + len(come) - 1])
    for text, edge in ((first, start), (first, end), (second, start), (second, start + len(come))):
        assert text[edge - 1 : edge + 1] != "\r\n"


@given(lines, st.integers(0, 5), st.integers(0, 60))
@settings(deadline=None, max_examples=400)
def test_any_position_of_a_client_has_an_offset(text: str, line: int, character: int) -> None:
    """Behind the end of a line it is that end, and between two units of a character it is in front of that."""
    offset = offset_at(text, Position(line, character))
    lines = re.split(r"(?<=\n)", text)
    if line >= len(lines):
        assert offset == len(text)
        return
    units = re.sub(r"\r?\n$", "", lines[line]).encode("utf-16-le")[: 2 * character]
    assert offset == sum(map(len, lines[:line])) + len(units.decode("utf-16-le", "ignore"))


@given(texts, st.integers(0, 400), st.sampled_from(["exact hp", "constructor\n· exact hp"]))
@settings(deadline=None, max_examples=400)
def test_a_place_keeps_what_is_around_it(text: str, offset: int, candidate: str) -> None:
    text = HEAD + text
    for point in find_insertion_points(text, position_at(text, min(len(HEAD) + offset, len(text)))):
        assert 0 <= point.start <= point.end <= len(text)
        result = point.apply(text, candidate)
        assert result.startswith(text[: point.start])
        assert result.endswith(text[point.end :])
        shadow = point.shadow_text(text, candidate)
        assert shadow.text[offset_at(shadow.text, shadow.start) :].startswith(candidate.split("\n")[0])


@given(units)
@settings(deadline=None, max_examples=40)
def test_the_work_grows_with_the_text_and_not_with_its_square(unit: str) -> None:
    """Counted are the lines of Python that run for a cursor at the end, none of which works on more than a token.

    Four times the text takes four times the lines, five and a half where only the last declarations are looked at;
    work that grew with the square would take sixteen times.
    """
    once, more = (lines_of(HEAD + unit * count) for count in (200, 800))
    assert more <= 7 * once + 2000


@pytest.mark.parametrize("name", list(layout_figures.texts(1)))
def test_long_texts_take_no_time(name: str) -> None:
    """A tenth of what the program measures, at a hundred times its time: only what grows faster than the text fails."""
    text = layout_figures.texts(100_000)[name]
    start = time.process_time()
    layout_figures.place(text, len(text))
    layout_figures.shadow(text)
    assert time.process_time() - start < 4


def test_no_depth_ends_in_a_recursion_error() -> None:
    for unit in ('s!"{', "(", "by ", "/-", "· ", "fun x => (", '{s!"{'):
        text = HEAD + unit * 50_000
        assert len(mask(text)) == len(text)
        find_insertion_points(text, position_at(text, len(text)))


def lines_of(text: str) -> int:
    """How much work a place at the end of a text is that was never seen."""
    text = layout_figures.never_seen(text)
    position = position_at(text, len(text))
    return lines_run(lambda: find_insertion_points(text, position))
