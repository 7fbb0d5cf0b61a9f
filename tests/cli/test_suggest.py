"""`llmstep suggest` without Lean: goals from texts, the starter model, positions, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest
from lsprotocol.types import Position
from output_schema import checked

from llmstep.errors import RequestError
from llmstep.lean.file_text import position_of
from llmstep.wire.steps import ShownVerdict

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run

GOAL = "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"
STARTER = ("--model", "starter", "--device", "cpu")


@pytest.mark.parametrize(
    ("text", "line", "column", "position"),
    [
        ("a\nbc\n", 1, 1, Position(0, 0)),
        ("a\nbc\n", 2, 2, Position(1, 1)),
        ("a\nbc\n", 2, 3, Position(1, 2)),
        ("a\nbc\n", 2, 99, Position(1, 2)),
        ("a\nbc\n", 3, 1, Position(2, 0)),
        ("", 1, 1, Position(0, 0)),
        ("ab\r\ncd\r\n", 1, 9, Position(0, 2)),
        ("ab\r\ncd\r\n", 2, 2, Position(1, 1)),
        ("∀ x, x = x", 1, 3, Position(0, 2)),
        ("𝔸 = 𝔸", 1, 3, Position(0, 2)),
        ("𝔸 = 𝔸", 1, 99, Position(0, 7)),
        ("a\u0301b", 1, 99, Position(0, 3)),
    ],
)
def test_positions_are_utf_16_and_end_with_the_line(text: str, line: int, column: int, position: Position) -> None:
    assert position_of(text, line, column, "A.lean") == position


@pytest.mark.parametrize(
    ("line", "column", "message", "hint"),
    [
        (0, 1, "There is no line 0 in A.lean.", "Its lines are 1 to 3."),
        (4, 1, "There is no line 4 in A.lean.", "Its lines are 1 to 3."),
        (
            1,
            0,
            "There is no column 0.",
            "Columns are counted from 1, as editors show them; Lean's messages count from 0.",
        ),
    ],
)
def test_places_that_are_none(line: int, column: int, message: str, hint: str) -> None:
    with pytest.raises(RequestError) as caught:
        position_of("a\nbc\n", line, column, "A.lean")
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_json_has_exactly_this_shape(llmstep: Run) -> None:
    ended = llmstep("suggest", "--goal-file", "-", *STARTER, "--json", stdin=GOAL.encode())
    assert ended.status == 0
    answer = checked("suggest", ended.out)
    assert list(answer) == ["goal", "model", "elapsed_ms", "suggestions", "rejected"]
    assert (answer["goal"], answer["model"]) == (GOAL, "starter")
    assert answer["elapsed_ms"] > 0
    assert 1 <= len(answer["suggestions"]) <= 10
    for each in answer["suggestions"]:
        assert list(each) == ["text", "score", "verdict", "source", "repaired_from", "remaining_goals"]
        assert each["text"].strip()
        assert each["score"] < 0
        assert (each["verdict"], each["remaining_goals"]) == ("unchecked", [])
    scores = [each["score"] for each in answer["suggestions"]]
    assert scores == sorted(scores, reverse=True)
    assert "∧" in ended.out  # for reading, not escaped


def test_a_goal_of_a_file_for_reading(llmstep: Run, tmp_path: Path) -> None:
    file = tmp_path / "goal.txt"
    file.write_bytes(GOAL.replace("\n", "\r\n").encode())
    ended = llmstep("suggest", "--goal-file", str(file), *STARTER, "--prefix", "exact ", "--count", "4")
    assert ended.status == 0
    lines = [line.rstrip() for line in ended.out.splitlines()]
    assert lines[:5] == ["  p q : Prop", "  hp : p", "  hq : q", "  ⊢ p ∧ q", ""]
    rows = lines[5 : lines.index("", 5)]
    assert 1 <= len(rows) <= 4
    for number, row in enumerate(rows, start=1):
        assert row.split()[:3] == [str(number), "not", "checked"]
        assert "  exact " in row
    assert lines[-1].startswith(f"4 generated, {len(rows)} distinct, not checked (there is no Lean file); starter, ")
    assert ended.err.splitlines() == ["Loading starter ...", "Generating ..."]


def test_several_goals_are_kept_in_order(llmstep: Run) -> None:
    state = "case left\n⊢ True\n\ncase right\n⊢ 1 = 1"
    ended = llmstep("suggest", "--goal-file", "-", *STARTER, "--json", "-n", "1", stdin=f"\n{state}\n".encode())
    assert checked("suggest", ended.out)["goal"] == state


def test_a_seed_fixes_the_draw_and_greedy_is_one(llmstep: Run) -> None:
    def texts(*options: str) -> list[str]:
        ended = llmstep("suggest", "--goal-file", "-", *STARTER, "--json", *options, stdin=GOAL.encode())
        return [each["text"] for each in checked("suggest", ended.out)["suggestions"]]

    hot = ("--temperature", "2", "--count", "8")
    assert texts("--seed", "1", *hot) == texts("--seed", "1", *hot) != texts("--seed", "2", *hot)
    assert len(texts("--temperature", "0")) == 1


def test_text_in_brackets_is_no_markup(llmstep: Run) -> None:
    goal = "xs : List Nat\nh : xs = [red]\n⊢ [bold] = xs ++ [/bold]"
    ended = llmstep("suggest", "--goal-file", "-", *STARTER, "--prefix", "rw [red", "-n", "2", stdin=goal.encode())
    assert "  ⊢ [bold] = xs ++ [/bold]\n" in ended.out.replace(" \n", "\n")
    assert "rw [red" in ended.out


REFUSED: list[tuple[tuple[str, ...], bytes, str]] = [
    ((), b"", "There is no goal to suggest steps for. Give a place of a Lean file, FILE:12:3, or a goal with"),
    (("A.lean",), b"", "No line of A.lean was given. Write A.lean:12:3, or --line 12 --column 3."),
    (("A.lean:1", "--line", "1"), b"", "The place is given twice: by A.lean:1 and by --line or --column."),
    (("A.lean:1:1", "--column", "1"), b"", "The place is given twice"),
    (("A.lean:1:1",), b"", "The file A.lean cannot be read: No such file"),
    (("A.lean", "--goal-file", "-"), b"", "A goal comes from --goal-file or from a place of a Lean file."),
    (("--line", "1", "--goal-file", "-"), b"", "A goal comes from --goal-file or from a place of a Lean file."),
    (("--goal-file", "-"), b" \n", "The goal is empty."),
    (("--goal-file", "-"), b"\xff", "stdin is not UTF-8 (byte 0). Save it as UTF-8."),
    (("--goal-file", "absent"), b"", "The file absent cannot be read: No such file or directory."),
    (("absent.lean", "--line", "1", "--column", "1"), b"", "The file absent.lean cannot be read: No such file"),
    ((".",), b"", ". is a folder. Give a Lean file and a line: FILE.lean:12:3."),
    (
        ("--goal-file", "-", "--model", "startr"),
        b"p",
        "There is no model 'startr' in the catalog. Did you mean starter?",
    ),
    (("--goal-file", "-", "--template", "x"), b"p", "There is no prompt template 'x'."),
    (("--goal-file", "-", "--count", "999"), b"p", "The setting llmstep.count is 999. It must be at most 256."),
    (("--goal-file", "-", "--lean", "'"), b"p", 'The Lean command "\'" cannot be read: No closing quotation.'),
]


@pytest.mark.parametrize(("options", "stdin", "message"), REFUSED)
def test_refusals_are_one_sentence_and_a_hint(
    llmstep: Run,
    options: tuple[str, ...],
    stdin: bytes,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = llmstep("suggest", *options, stdin=stdin)
    assert (ended.status, ended.out) == (3 if "template" in message else 2, "")
    assert ended.err.startswith(f"llmstep: {message}")
    assert ended.err.count("\n") == 1


def test_wrong_usage_is_status_2(llmstep: Run) -> None:
    assert llmstep("suggest", "--line", "x").status == 2
    assert llmstep("suggest", "--seed", "-1").status == 2
    assert llmstep("suggest", "--no-such-option").status == 2


def test_offline_and_not_cached_says_so(llmstep: Run) -> None:
    ended = llmstep("suggest", "--goal-file", "-", "--model", "byt5-small", stdin=b"p", HF_HUB_OFFLINE="1")
    assert (ended.status, ended.out) == (3, "")
    error = ended.err.splitlines()[-1]
    assert error.startswith("llmstep: ")
    assert "byt5" in error


def test_the_help_names_every_verdict_that_is_printed(llmstep: Run) -> None:
    shown = " ".join(llmstep("suggest", "--help").out.replace("│", " ").split())
    assert f"a verdict is one of {', '.join(get_args(ShownVerdict))}." in shown
