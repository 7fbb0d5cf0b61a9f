"""What `llmstep serve` refuses; that it serves is tested in `tests/http/test_endpoint.py`."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run

REFUSED: list[tuple[tuple[str, ...], dict[str, str], str]] = [
    (("--host", "0.0.0.0"), {}, "llmstep does not listen at 0.0.0.0 without a token"),
    (("--host", "::", "--no-preload"), {}, "llmstep does not listen at :: without a token"),
    (("--port", "70000"), {}, "The setting llmstep.http.port is 70000. It must be at most 65535."),
    (("--set", "http.prot=1"), {}, "There is no setting llmstep.http.prot. Did you mean --port?"),
    (("--model", "startr"), {}, "There is no model 'startr' in the catalog. Did you mean starter?"),
    (("--model", "/no/such/folder"), {}, "There is no folder /no/such/folder."),
    (("--device", "tpu"), {}, "The setting llmstep.device is 'tpu'. It must be one of auto, cpu, cuda, mps."),
    (("--temperature", "9"), {}, "The setting llmstep.temperature is 9.0. It must be at most 5."),
    (("--count", "0"), {}, "The setting llmstep.count is 0. It must be at least 1."),
    (("--host", "203.0.113.7"), {"LLMSTEP_TOKEN": "0123456789abcdef"}, "llmstep cannot listen at 203.0.113.7"),
    (("--token-file", "/no/such/file"), {}, "The token cannot be read from /no/such/file: No such file or directory."),
    ((), {"LLMSTEP_TOKEN": "short"}, "The environment variable LLMSTEP_TOKEN holds no usable token."),
]


@pytest.mark.parametrize(("options", "environment", "message"), REFUSED)
def test_refusals_are_one_sentence_and_a_hint(
    llmstep: Run, options: tuple[str, ...], environment: dict[str, str], message: str
) -> None:
    port = () if "--port" in options else ("--port", "0")
    ended = llmstep("serve", *port, *options, **environment)
    assert (ended.status, ended.out) == (3 if "cannot listen" in message else 2, "")
    assert ended.err.startswith(f"llmstep: {message}")
    assert ended.err.count("\n") == 1
    assert ended.err.count(". ") >= 1  # the hint


def test_a_model_that_cannot_be_loaded_ends_the_server(llmstep: Run, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt_neox"}')
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    ended = llmstep("serve", "--port", "0", "--model", str(tmp_path))
    assert (ended.status, ended.out) == (3, "")
    loading, error = ended.err.splitlines()
    assert loading == f"Loading {tmp_path} ..."
    assert error.startswith(f"llmstep: The model in {tmp_path} has no weights that transformers reads.")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
