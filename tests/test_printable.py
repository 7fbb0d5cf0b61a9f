"""Nothing that a model, a file or a server wrote reaches a terminal or a label as a control sequence."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from llmstep.cli.progress import shown_progress
from llmstep.cli.tables import print_suggestions
from llmstep.errors import RequestError
from llmstep.lsp.code_actions import title
from llmstep.lsp.progress import describe
from llmstep.printable import json_text, printable, strange_character
from llmstep.progress import Progress
from llmstep.types import Candidate, Check, Goal, Suggestion, Verdict

if TYPE_CHECKING:
    import pytest

HOSTILE = "a\x1b]0;title\x07\x1b[2J\u202eb\u2066\u200b\x9b31m\ud800\r\U000e0041\ufeff"
WRITTEN = "a\\x1b]0;title\\x07\\x1b[2J\\u202eb\\u2066\\u200b\\x9b31m\\ud800\\r\\U000e0041\\ufeff"


def test_what_is_written_out() -> None:
    assert printable(HOSTILE) == WRITTEN
    assert printable("p q : Prop\n\t⊢ 𝔸 ∧ é → «x» e⃗") == "p q : Prop\n\t⊢ 𝔸 ∧ é → «x» e⃗"
    assert strange_character("exact hp") is None
    assert strange_character(HOSTILE) == "U+001B"


@given(st.text())
def test_no_control_is_left(text: str) -> None:
    kinds = {unicodedata.category(character) for character in printable(text) if character not in "\n\t "}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert strange_character(printable(text)) is None


@given(st.text())
def test_json_stays_the_same_value(text: str) -> None:
    shown = json_text({"text": text})
    assert json.loads(shown) == {"text": text}
    assert strange_character(shown) is None


def test_errors_are_fit_to_be_shown() -> None:
    error = RequestError(f"The file {HOSTILE} cannot be read.", hint=HOSTILE)
    assert str(error) == f"The file {WRITTEN} cannot be read. {WRITTEN}"


def test_the_table_of_suggestions(capsys: pytest.CaptureFixture[str]) -> None:
    suggestion = Suggestion(Candidate(HOSTILE, -1.0), Check(Verdict.UNCHECKED))
    print_suggestions(Goal(f"h : {HOSTILE}\n⊢ p"), [suggestion], f"by {HOSTILE}")
    shown = capsys.readouterr().out
    assert strange_character(shown) is None
    assert shown.count(WRITTEN) == 3


def test_labels_and_progress(capsys: pytest.CaptureFixture[str]) -> None:
    made = Suggestion(Candidate("exact \u202ehp", None), Check(Verdict.CLOSES))
    assert title(made) == "exact \\u202ehp ✓"
    step = Progress("load", f"Loading {HOSTILE}")
    assert describe(step) == f"Loading {WRITTEN}"
    with shown_progress() as show:
        show(step)
    assert capsys.readouterr().err == f"Loading {WRITTEN} ...\n"
