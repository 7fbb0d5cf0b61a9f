"""The Lean package's verdicts are the companion's: the same table, by `LLMstep.checkSuggestions`."""

from __future__ import annotations

from typing import Any

import pytest
from verdict_cases import Case, read_table

from llmstep.lean.text import position_at
from llmstep.types import Verdict

CASES = [case for case in read_table("verdicts.txt") if "companion" not in case.flags]
ACCEPTED = {Verdict.CLOSES: "closes", Verdict.PROGRESS: "progress"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_what_a_step_may_be(editor: Any, model: Any, case: Case) -> None:
    text = case.text.removeprefix("import Lean\n")
    cursor = case.cursor - (len(case.text) - len(text))
    if not text.startswith("sorry", cursor):
        text = text[:cursor] + "sorry" + text[cursor:]
    document = editor.open(text)
    place = position_at(document.text, cursor + len(document.text) - len(text))
    answer = document.check(place.line, place.character, suggestions=[each.candidate for each in case.expected])
    wanted = [ACCEPTED.get(each.verdict, "invalid") for each in case.expected]
    differing = [each for each, verdict in zip(answer["checked"], wanted, strict=True) if each["verdict"] != verdict]
    assert differing == []
