"""The plain installation: the starter answers without torch, and what needs more says what to install."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tiny_models import llama, saved

if TYPE_CHECKING:
    from pathlib import Path

STATE = "p q : Prop\nhp : p\n⊢ p ∨ q"
WITHOUT = """
import sys
for name in ("torch", "transformers", "accelerate", "peft"):
    sys.modules[name] = None
from llmstep.cli import main
sys.argv = ["llmstep", *sys.argv[1:]]
main()
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An architecture that only transformers runs."""
    import torch

    torch.manual_seed(3)
    folder = saved(llama(), tmp_path / "phi")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps({**config, "model_type": "phi", "architectures": ["PhiForCausalLM"]})
    )
    return folder


def plain(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LLMSTEP_")}
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *words],
        input=STATE,
        env={**inherited, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("options", [["--model", "starter"], [], ["--device", "cpu"]])
def test_the_starter_needs_nothing_more(options: list[str], tmp_path: Path) -> None:
    """Also as what `auto` finds, with nothing in the cache."""
    done = plain("suggest", "--goal-file", "-", "--json", *options, HF_HUB_CACHE=str(tmp_path), HF_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["suggestions"][0]["text"] == "exact Or.inl hp"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "{model}", "--template", "pythia"], "The model {model} needs PyTorch, which is not installed."),
        (["--device", "cuda"], "The setting llmstep.device is cuda, and PyTorch, which runs models on GPUs, is not"),
    ],
)
def test_what_needs_more_says_so(model: Path, words: list[str], message: str) -> None:
    done = plain("suggest", "--goal-file", "-", *(word.format(model=model) for word in words))
    assert done.returncode == (2 if "--device" in words else 3)
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"llmstep: {message.format(model=model)}")
    assert "pip install 'llmstep[torch]'" in said


def test_training_says_so(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"state": STATE, "tactic": "exact Or.inl hp", "theorem": "t"}) + "\n")
    done = plain("train", "--train", str(pairs), "--base", str(tmp_path), "--out", str(tmp_path / "out"))
    assert done.returncode == 3
    assert "needs PyTorch, which is not installed. Install it with `pip install 'llmstep[torch]'`." in done.stderr
