"""Positions, edits and masks of Lean text."""

from __future__ import annotations

import random

import pytest
from lsprotocol.types import Position

from llmstep.lean.text import line_end, mask, minimal_edit, newline_of, offset_at, position_at, range_at

LINES = "theorem 𝔸 (é : e\u0301) : ∀ p\r\n  𝕜 𝕜x\n\n last"


@pytest.mark.parametrize(
    ("line", "character", "before"),
    [
        (0, 0, ""),
        (0, 8, "theorem "),
        (0, 10, "theorem 𝔸"),
        (0, 9, "theorem "),  # in the middle of a surrogate pair: before it
        (0, 17, "theorem 𝔸 (é : e"),
        (0, 18, "theorem 𝔸 (é : e\u0301"),  # a combining mark is a unit of its own
        (0, 99, "theorem 𝔸 (é : e\u0301) : ∀ p"),
        (1, 5, "theorem 𝔸 (é : e\u0301) : ∀ p\r\n  𝕜 "),
        (1, 8, "theorem 𝔸 (é : e\u0301) : ∀ p\r\n  𝕜 𝕜x"),
        (2, 0, "theorem 𝔸 (é : e\u0301) : ∀ p\r\n  𝕜 𝕜x\n"),
        (2, 7, "theorem 𝔸 (é : e\u0301) : ∀ p\r\n  𝕜 𝕜x\n"),
        (3, 5, LINES),
        (9, 0, LINES),
    ],
)
def test_offset_at(line: int, character: int, before: str) -> None:
    assert LINES[: offset_at(LINES, Position(line=line, character=character))] == before


def test_positions_go_there_and_back() -> None:
    for offset in range(len(LINES) + 1):
        if LINES[offset - 1 : offset + 1] != "\r\n":  # inside a line break there is no position
            assert offset_at(LINES, position_at(LINES, offset)) == offset
    assert position_at(LINES, 10_000) == Position(line=3, character=5)


def test_offset_at_in_a_long_text() -> None:
    """Against the lines themselves: short and long ones, empty ones, with and without a break at the end."""
    draw = random.Random(7)
    for _ in range(30):
        lines = ["∀x" * draw.choice((0, 0, 1, 2, 40, 300)) for _ in range(draw.randrange(1, 400))]
        text = "\n".join(lines)
        starts = [0, *(index + 1 for index, character in enumerate(text) if character == "\n")]
        assert [offset_at(text, Position(line, 0)) for line in range(len(lines))] == starts
        assert [offset_at(text, Position(len(lines) + more, 3)) for more in (0, 1, 33, 1000, 10**6)] == [len(text)] * 5


def test_line_end_leaves_the_line_break_out() -> None:
    assert LINES[: line_end(LINES, 3)] == "theorem 𝔸 (é : e\u0301) : ∀ p"
    assert line_end(LINES, len(LINES)) == len(LINES)
    assert line_end("\r\n", 0) == 0


def test_newline_of() -> None:
    assert [newline_of(text) for text in ("a", "a\nb\r\n", "a\r\nb\n", "\n", "\r\n")] == [
        "\n",
        "\n",
        "\r\n",
        "\n",
        "\r\n",
    ]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("a -- by\nb", "a      \nb"),
        ("a /- by /- x -/ y -/ b", "a" + " " * 20 + "b"),
        ("/-- doc -/ x /-! by", "           x       "),
        ("/--/ still -/ x", "              x"),
        ("a /- 1\r\n 2 -/ b", "a     \r\n      b"),
        ('f "by -- \\" sorry" x', 'f "              " x'),
        ('f "a', 'f " '),
        ('f r"\\" x', 'f r" " x'),
        ('f r#"a " b"# x', 'f r#"     "# x'),
        ('bar"by" x', 'bar"  " x'),
        ('a.r"\\" by" x', 'a.r"     " x'),
        ("f '\"' x '\\'' y '\\x41'", "f ' ' x '  ' y '    '"),
        ("h' x' sorry 'a", "h' x' sorry 'a"),
        ("«a--b» -- c", "«a--b»     "),
        ('s!"a {f "b"} c" by', 's!"           " by'),
        ('"a {" by', '"   " by'),
        ("a - -b --", "a - -b   "),
    ],
)
def test_mask(text: str, masked: str) -> None:
    assert mask(text) == masked


def apply(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]


@pytest.mark.parametrize(
    ("old", "new", "replaced", "by"),
    [
        ("abc", "axc", "b", "x"),
        ("aa", "aaa", "", "a"),
        ("aaa", "aa", "a", ""),
        ("", "x", "", "x"),
        ("a𝔸b", "a𝔸c", "b", "c"),
        ("a\r\nb", "a\nb", "\r\n", "\n"),
        ("a\nb", "a\r\nb", "\n", "\r\n"),
        ("a\r\n", "a\r\n\r\n", "", "\r\n"),
    ],
)
def test_minimal_edit(old: str, new: str, replaced: str, by: str) -> None:
    edit = minimal_edit(old, new)
    assert edit is not None
    start, end = offset_at(old, edit.range.start), offset_at(old, edit.range.end)
    assert (old[start:end], edit.new_text) == (replaced, by)
    assert apply(old, start, end, edit.new_text) == new


def test_no_edit_between_equal_texts() -> None:
    assert minimal_edit("a", "a") is None


def test_minimal_edit_always_gives_the_new_text() -> None:
    draw = random.Random(0)
    for _ in range(2000):
        old, new = ("".join(draw.choices(["a", "b", "\n", "\r\n", "𝔸"], k=draw.randrange(7))) for _ in range(2))
        edit = minimal_edit(old, new)
        if edit is None:
            assert old == new
            continue
        start, end = offset_at(old, edit.range.start), offset_at(old, edit.range.end)
        assert edit.range == range_at(old, start, end)
        assert apply(old, start, end, edit.new_text) == new
