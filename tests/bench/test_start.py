"""The time to the first answer: whole processes, and what is said of one that fails."""

from __future__ import annotations

import json

import pytest
from command_line import run

from benchmarks.__main__ import app
from benchmarks.start import start_cost
from llmstep.errors import LlmstepError


def test_the_starter_against_the_import_of_torch() -> None:
    cost = json.loads(run("start", "--rounds", 2, "--json", program=app))
    assert (cost["model"], cost["rounds"]) == ("starter", 2)
    assert cost["suggestions"] >= 1
    assert min(cost["answer_ms"], cost["import_ms"], cost["ratio"]) > 0


def test_a_model_that_does_not_answer() -> None:
    with pytest.raises(LlmstepError, match=r"failed: llmstep: .*no-such-model"):
        start_cost("no-such-model", 1)
