"""Where commands begin: what was found in an earlier text is taken over only where it is still true."""

from __future__ import annotations

import random

import pytest

from llmstep.lean.commands import Command, find_commands

from .lines_run import lines_run

PIECES = [
    *("theorem a : b := by\n", "  simp [x]\n", "private\n", "protected ", "@[simp]\n", "@[simp, foo\n", "bar]", "]\n"),
    *(
        "\n",
        "\n\n",
        "  ",
        "def d := 1\n",
        "mutual\n",
        "end\n",
        "end A.B\n",
        "namespace A\n",
        "section S\n",
        "#eval 1\n",
    ),
    *("open Foo\n", "mymacro x\n", "x", "@[", "[", "instance : C := ⟨1⟩\n", "@[a]private\n", " theorem", "∀"),
]


def forget() -> None:
    """Have the texts before pushed out by others."""
    for number in range(8):
        find_commands(str(number))


def alone(text: str) -> tuple[Command, ...]:
    """What is found in a text when nothing is known."""
    forget()
    found = find_commands(text)
    forget()
    return found


def test_what_a_command_is() -> None:
    text = "namespace A\n  @[simp]\n  private theorem t : x := by simp\nmutual\ndef d := 1\nend\n#eval d\nend A"
    found = alone(text)
    assert [(each.keyword, each.mutual, each.margin) for each in found] == [
        ("namespace", False, 0),
        ("theorem", False, 2),
        ("mutual", True, 0),
        ("def", True, 0),
        ("end", False, 0),
        ("", False, 0),
        ("end", False, 0),
    ]
    assert text[found[1].start : found[1].end] == "  @[simp]\n  private theorem"


@pytest.mark.parametrize("seed", range(20))
def test_edits_give_what_a_fresh_search_gives(seed: int) -> None:
    """Pieces that change what stands in front of them: modifiers, attributes that are open or span lines."""
    draw = random.Random(seed)
    text = "".join(draw.choices(PIECES, k=60))
    known: dict[str, tuple[Command, ...]] = {}
    for _ in range(150):
        start = draw.randrange(len(text) + 1)
        end = min(len(text), start + draw.choice((0, 0, 1, 5, 30)))
        text = text[:start] + draw.choice(["", *PIECES]) + text[end:]
        asked = text[: draw.choice((len(text), draw.randrange(len(text) + 1)))]
        known[asked] = find_commands(asked)
    for asked, found in known.items():
        assert found == alone(asked), asked


def test_only_what_follows_an_edit_is_searched() -> None:
    text = "".join(f"theorem t{number} : a := by\n  simp [b]\n\n" for number in range(1000))
    middle = len(text) // 2
    edited = text[:middle] + "\ndef d := 1\n" + text[middle:]
    forget()
    whole = lines_run(lambda: find_commands(text))
    assert lines_run(lambda: find_commands(text + "x")) < whole / 50
    assert lines_run(lambda: find_commands(text[:-3])) < whole / 50
    assert lines_run(lambda: find_commands(edited)) < 0.6 * whole
    assert [len(find_commands(each)) for each in (text, text + "x", text[:-3], edited)] == [1000, 1000, 1000, 1001]
    assert find_commands(text) is find_commands(text)
