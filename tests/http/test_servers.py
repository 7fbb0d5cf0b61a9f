"""The servers of the first llmstep, as commands of this one: tiny models of the true architectures, real processes.

docs/servers.md has the table; the notebook's row is in `tests/colab`.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tiny_models import byt5_config, byte_level_tokenizer, llama, neox, saved

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATE = "p q : Prop\nhp : p\n⊢ p ∨ q"
FILE = "theorem t (p q : Prop) (hp : p) : p ∨ q := by\n  "


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One layer each, tokens are bytes."""
    import torch
    from transformers import T5ForConditionalGeneration

    torch.manual_seed(8)
    ends = {"eos_token_id": 1, "pad_token_id": 0}
    tokens = byte_level_tokenizer([], 258, ["<pad>", "</s>"], pad_token="<pad>", eos_token="</s>")
    byt5 = byt5_config(d_model=32, d_ff=48, num_layers=1, num_decoder_layers=1, num_heads=2)
    made = {
        "byt5": (T5ForConditionalGeneration(byt5), None),
        "pythia": (neox(vocab_size=258, num_hidden_layers=1, **ends), tokens),
        "llemma": (llama(vocab_size=258, num_hidden_layers=1, **ends), tokens),
    }
    root = tmp_path_factory.mktemp("servers")
    return {name: saved(model, root / name, tokenizer) for name, (model, tokenizer) in made.items()}


@contextlib.contextmanager
def served(*options: str) -> Iterator[httpx.Client]:
    """`llmstep serve OPTIONS`, and a client of it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LLMSTEP_")}
    command = [sys.executable, "-m", "llmstep", "serve", "--port", "0", *options]
    with subprocess.Popen(command, env=inherited, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            line = process.stdout.readline()
            found = re.match(r"llmstep listens at (http://127\.0\.0\.1:\d+) with", line)
            assert found is not None, (line, process.stderr.read())
            with httpx.Client(base_url=found[1], trust_env=False, timeout=120) as client:
                yield client
        finally:
            process.kill()


def suggestions(client: httpx.Client, prefix: str = "", context: str = FILE) -> dict[str, Any]:
    """The answer to upstream's request."""
    answer = client.post("/", json={"tactic_state": STATE, "prefix": prefix, "context": context})
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    assert content["suggestions"]
    assert content["scores"] == sorted(content["scores"], reverse=True)
    assert len(set(content["suggestions"])) == len(content["suggestions"])
    return content


def test_encoder_decoder_on_the_cpu(models: dict[str, Path]) -> None:
    with served(
        "--model", str(models["byt5"]), "--template", "byt5-state", "--device", "cpu", "--count", "3"
    ) as client:
        for prefix in ("", "exact h"):
            texts = suggestions(client, prefix)["suggestions"]
            assert all(text.startswith(prefix) for text in texts)
            assert not any(prefix and text.startswith(prefix * 2) for text in texts)
        assert suggestions(client)["model"] == str(models["byt5"])


def test_causal_and_a_server_of_texts_behind_it(models: dict[str, Path]) -> None:
    """The second row's server, and the third's: a server of OpenAI's API runs the model, as vLLM does."""
    with served("--model", str(models["pythia"]), "--template", "pythia", "--temperature", "0") as client:
        here = {prefix: suggestions(client, prefix) for prefix in ("", "rw [")}
        remote = ("--engine", "openai", "--remote-url", f"{client.base_url}/v1".replace("//v1", "/v1"))
        with served(*remote, "--template", "pythia", "--temperature", "0") as front:
            for prefix, expected in here.items():
                there = suggestions(front, prefix)
                assert there["suggestions"] == expected["suggestions"]
                assert there["scores"] == pytest.approx(expected["scores"], abs=1e-4)


def test_a_prompted_model_that_reads_the_file(models: dict[str, Path]) -> None:
    options = ("--model", str(models["llemma"]), "--template", "llemma", "--temperature", "0", "--count", "2")
    with served(*options) as client:
        alone = suggestions(client, context="")["suggestions"]
        with_file = suggestions(client)["suggestions"]
        other_file = suggestions(client, context=FILE + "have := hp\n  ")["suggestions"]
        assert len(alone) == 1  # greedy, by the examples alone
        assert set(alone) < set(with_file)
        assert set(alone) < set(other_file)
        assert with_file != other_file
