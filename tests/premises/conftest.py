"""A tiny retriever and a small corpus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tiny_models import BYT5_VOCABULARY, byt5_config, saved

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """An encoder of ReProver's shape with random weights."""
    import torch
    from transformers import T5EncoderModel

    torch.manual_seed(5)
    config = byt5_config(d_model=32, d_kv=8, d_ff=48, num_layers=2, initializer_factor=3.0, tie_word_embeddings=True)
    return saved(T5EncoderModel(config), tmp_path / "encoder")


@pytest.fixture
def generator(tmp_path: Path) -> Path:
    """A tiny ByT5 with random weights, large enough for an answer that depends on the question."""
    import torch
    from transformers import T5ForConditionalGeneration

    torch.manual_seed(8)
    model = T5ForConditionalGeneration(byt5_config())
    head = torch.full((BYT5_VOCABULARY, 64), -1.0)
    head[35:129] = torch.randn(94, 64)  # the bytes of visible ASCII, so that every answer is a text
    model.lm_head.weight = torch.nn.Parameter(head)
    folder = saved(model, tmp_path / "generator")
    (folder / "llmstep.json").write_text('{"template": "byt5-retrieval"}')
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three files as LeanDojo's `corpus.jsonl` has them."""
    logic = ".lake/packages/std/Std/Logic.lean"
    file = tmp_path / "corpus.jsonl"
    records = [
        record(logic, [], ("And.swap", "theorem And.swap : a ∧ b → b ∧ a", 3), ("Or.swap", "theorem swap : a ∨ b", 5)),
        record(
            "Lib/Nat/Basic.lean",
            [logic],
            ("Nat.add_comm", "theorem add_comm (n m : ℕ) : n + m = m + n", 4),
            ("Nat.succ_pos", "theorem succ_pos (n : ℕ) : 0 < succ n", 9),
            ("Nat.double", "def double (n : ℕ) : ℕ := n + n", 12),
        ),
        record("Lib/Lonely.lean", [], ("lonely", "theorem lonely : α = α", 2)),
    ]
    file.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records), encoding="utf-8")
    return file


def record(path: str, imports: list[str], *premises: tuple[str, str, int]) -> dict[str, object]:
    return {
        "path": path,
        "imports": imports,
        "premises": [
            {
                "full_name": name,
                "code": code,
                "start": [line, 1],
                "end": [line, len(code)],
                "kind": "commanddeclaration",
            }
            for name, code, line in premises
        ],
    }
