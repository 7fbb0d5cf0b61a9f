"""What the model card says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmstep.catalog.templates import get_template
from llmstep.training.card import model_card
from llmstep.training.config import read_config

if TYPE_CHECKING:
    from pathlib import Path

REPORT = {
    "steps": 1200,
    "batch": 64,
    "pairs": 234567,
    "valid_pairs": 0,
    "train_loss": 0.51234,
    "valid_loss": None,
}


def card(template: str, *, adapter: bool = False, **flags: Any) -> str:
    values = {"train": "pairs/train.jsonl", "out": "models/my-model", **flags}
    return model_card(read_config(None, values), get_template(template), REPORT, adapter=adapter)


@pytest.mark.parametrize(
    ("base", "named"),
    [
        ("EleutherAI/pythia-410m", "EleutherAI/pythia-410m"),
        ("byt5-small", "kaiyuy/leandojo-lean4-tacgen-byt5-small"),
        ("starter", ""),
    ],
)
def test_the_hub_is_told_the_base_by_its_id(base: str, named: str) -> None:
    lines = card("pythia", base=base).split("---\n")[1].splitlines()
    assert [line for line in lines if line.startswith("base_model")] == ([f"base_model: {named}"] if named else [])
    assert "license: unknown" in lines


def test_a_folder_is_no_base_for_the_hub(tmp_path: Path) -> None:
    text = card("pythia", base=str(tmp_path))
    assert "base_model" not in text
    assert f"| base | {tmp_path} |" in text


def test_an_adapter_for_an_encoder_decoder() -> None:
    text = card("byt5-state", base="a/b", lora=True, lora_rank=8, licence="apache-2.0", adapter=True)
    assert text.startswith(
        "---\nlicense: apache-2.0\nbase_model: a/b\nlibrary_name: peft\npipeline_tag: text2text-generation\n"
        "tags:\n- lean4\n- theorem-proving\n- llmstep\n- lora\n---\n\n# my-model\n"
    )
    assert "| method | LoRA of rank 8 |" in text
    assert "| pairs | 234,567 from train.jsonl |" in text
    assert "| steps | 1,200 of 64 pairs |" in text
    assert "| training loss | 0.512 |" in text
    assert "| held-out loss | not measured |" in text
    assert "```text\np q : Prop\nhp : p\nhq : q\n⊢ p ∧ q\n```" in text


def test_a_merged_adapter_is_a_whole_model() -> None:
    text = card("pythia", base="a/b", lora=True, merge=True)
    assert "library_name: transformers" in text
    assert "| method | LoRA of rank 16, merged into the base |" in text
