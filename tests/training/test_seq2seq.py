"""Fine-tuning of an encoder-decoder model of ByT5's shape."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from tiny_models import byt5_config
from transformers import ByT5Tokenizer, T5ForConditionalGeneration

from llmstep.catalog.resolve import resolve
from llmstep.catalog.templates import get_template
from llmstep.engine.prompt import encode
from llmstep.errors import ModelError
from llmstep.settings import Settings
from llmstep.training.config import read_config
from llmstep.training.pairs import IGNORED, Example, encode_pairs
from llmstep.training.trainer import collator, last_checkpoint, run_training
from llmstep.types import Goal, PromptInput

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = {"learning_rate": 2e-2, "warmup_steps": 2, "batch_size": 8, "log_every": 4, "save_every": 8, "progress": False}


def train(base: Path, pairs: Path, out: Path, resume: bool = False, **more: Any) -> dict[str, Any]:
    flags = {**FLAGS, "train": str(pairs), "out": str(out), "base": str(base), "threads": 1, **more}
    return run_training(read_config(None, flags), resume=resume)


def test_a_run_learns_resumes_and_its_model_is_chosen_with_its_template(
    byt5: Path, pairs_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tuned"
    first = train(byt5, pairs_file, out, max_steps=16, valid=str(pairs_file), eval_every=8)
    assert first["steps"] == 16
    assert first["valid_pairs"] == 64
    assert first["valid_loss"] < 0.8 * first["history"][0]["loss"]
    assert first["train_loss"] < first["history"][0]["loss"]
    again = train(byt5, pairs_file, out, resume=True, max_steps=24)
    assert again["steps"] == 24
    assert [record["step"] for record in again["history"] if "loss" in record] == [4, 8, 12, 16, 20, 24]
    assert last_checkpoint(out) == out / "checkpoints" / "checkpoint-24"

    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"  # float16 is too narrow for T5
    assert resolve(Settings(model=str(out))).template.name == "byt5-state"
    before = T5ForConditionalGeneration.from_pretrained(byt5).state_dict()
    after = T5ForConditionalGeneration.from_pretrained(out, dtype="float32").state_dict()
    assert before.keys() == after.keys()
    for part in ("encoder.block.0", "decoder.block.1", "lm_head"):
        name = next(name for name in before if name.startswith(part) and name.endswith("weight"))
        assert not torch.equal(before[name], after[name]), name


def test_the_model_learns_what_it_is_asked_for_later() -> None:
    """Encoder and decoder see in training the very ids that the engine gives them."""
    tokenizer, template = ByT5Tokenizer(), get_template("byt5-state")
    goal, tactic = "p q : Prop\nhp : p\n⊢ p\n\ncase b\n⊢ q", "exact hp"
    [example] = encode_pairs(tokenizer, template, [Example(goal, tactic)], 200)
    ask = PromptInput(Goal.from_state(goal))
    prompt = encode(template, ask, tokenizer, 1000)
    assert example["input_ids"] == prompt.input_ids == [*(byte + 3 for byte in goal.encode()), 1]
    assert example["labels"] == [*(byte + 3 for byte in tactic.encode()), 1]
    model = T5ForConditionalGeneration(byt5_config(num_layers=1))
    batch = collator(tokenizer, model)([example, {"input_ids": [5, 1], "labels": [7, 8, 1]}])
    assert batch["decoder_input_ids"][0].tolist() == [0, *example["labels"][:-1]]
    assert batch["decoder_input_ids"][1].tolist() == [0, 7, 8, 1, *[0] * (len(example["labels"]) - 4)]
    assert batch["labels"][1].tolist() == [7, 8, 1, *[IGNORED] * (len(example["labels"]) - 3)]
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (2, len(example["input_ids"]))
    assert batch["attention_mask"][1].tolist() == [1, 1, *[0] * (len(example["input_ids"]) - 2)]
    assert encode_pairs(tokenizer, template, [Example(goal, tactic)], len(prompt.input_ids) + len(tactic)) == []


def test_the_first_loss_is_the_mean_over_all_labels_of_the_step(byt5: Path, pairs_file: Path, tmp_path: Path) -> None:
    """However the step is divided into batches."""
    losses = []
    for batch_size, accumulate in ((64, 1), (16, 4)):
        report = train(
            byt5,
            pairs_file,
            tmp_path / f"{batch_size}",
            batch_size=batch_size,
            accumulate=accumulate,
            max_steps=1,
            log_every=1,
            precision="float32",
        )
        losses.append(report["history"][0]["loss"])
    model, tokenizer = T5ForConditionalGeneration.from_pretrained(byt5), ByT5Tokenizer()
    pairs = [tuple(json.loads(line).values()) for line in pairs_file.read_text(encoding="utf-8").splitlines()]
    total, count = 0.0, 0
    with torch.no_grad():
        for goal, tactic in pairs:
            labels = torch.tensor([[*tokenizer(tactic, add_special_tokens=False)["input_ids"], 1]])
            out = model(input_ids=torch.tensor([tokenizer(goal)["input_ids"]]), labels=labels)
            total += float(out.loss) * labels.shape[1]
            count += labels.shape[1]
    assert losses == pytest.approx([total / count] * 2, abs=2e-4)


def test_what_does_not_fit_an_encoder_decoder_is_refused(byt5: Path, pairs_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="pythia is for decoder-only models, and the base is encoder-decoder"):
        train(byt5, pairs_file, tmp_path / "x", template="pythia")
