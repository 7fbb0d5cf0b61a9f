"""Pairs and folders for the tests of the training."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

import pytest
from tiny_models import byt5_config, saved

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WORDS = ("p", "q", "r", "s", "A", "B", "rain", "wet")


@pytest.fixture
def pairs_file(tmp_path: Path) -> Path:
    """Sixty-four pairs in which the tactic names the hypothesis whose type is the goal."""
    file = tmp_path / "pairs.jsonl"
    records = [
        {"goal": f"{a} {b} : Prop\nh{a} : {a}\nh{b} : {b}\n⊢ {wanted}", "tactic": f"exact h{wanted}"}
        for a in WORDS
        for b in WORDS
        if a != b
        for wanted in (a, b)
    ][:64]
    file.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    return file


@pytest.fixture
def byt5(tmp_path: Path) -> Path:
    """A tiny encoder-decoder of ByT5's shape with random weights, and ByT5's tokenizer."""
    import torch
    from transformers import T5ForConditionalGeneration

    torch.manual_seed(3)
    return saved(T5ForConditionalGeneration(byt5_config(dropout_rate=0.0)), tmp_path / "byt5")


@pytest.fixture
def llama(tmp_path: Path, pairs_file: Path, save_llama: SaveLlama) -> Path:
    """A tiny Llama with random weights, and a tokenizer made for the pairs."""
    from llmstep.training.pairs import read_pairs

    texts = [text for pair in read_pairs(pairs_file) for text in (pair.goal, pair.tactic)]
    return save_llama(tmp_path / "llama", texts, vocabulary=320, positions=256)


class SaveLlama(Protocol):
    """Writes a tiny Llama with random weights, and a tokenizer made for `texts`."""

    def __call__(self, folder: Path, texts: Sequence[str], *, vocabulary: int, positions: int) -> Path: ...


@pytest.fixture(scope="session")
def save_llama() -> SaveLlama:
    return _save_llama


def _save_llama(folder: Path, texts: Sequence[str], *, vocabulary: int, positions: int) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from starter.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(texts, vocabulary)
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return saved(LlamaForCausalLM(config), folder, tokenizer)
