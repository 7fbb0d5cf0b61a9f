"""Pairs and folders for the tests of the training."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
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
