"""Loading a packed model in processes of its own."""

from __future__ import annotations

import json

import pytest
from command_line import run

from benchmarks.__main__ import app
from benchmarks.loading import load_cost
from llmstep.errors import LlmstepError


def test_a_small_shape() -> None:
    cost = json.loads(run("load", "--model", "tiny-shape", "--rounds", 1, "--json", program=app))
    assert (cost["model"], cost["rounds"], cost["torch"]) == ("tiny-shape", 1, False)
    assert min(cost["import_seconds"], cost["load_seconds"], cost["answer_seconds"]) > 0
    assert 100_000 < cost["file_bytes"] < cost["loaded_bytes"] <= cost["peak_bytes"]


def test_a_model_that_is_not_there() -> None:
    with pytest.raises(LlmstepError, match=r"failed: .*no-such-shape"):
        load_cost("no-such-shape", 1)
