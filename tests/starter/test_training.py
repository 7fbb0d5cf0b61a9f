"""What only the starter's training does: a new network, Muon, a loss on the goal, an end by the clock, and a resume."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import pytest
import torch
from transformers import AutoTokenizer

from llmstep.training.config import TrainConfig
from llmstep.training.trainer import last_checkpoint
from starter import training
from starter.muon import Muon, orthogonal
from starter.network import Shape, make_base

if TYPE_CHECKING:
    from pathlib import Path

SMALL = Shape(hidden=32, layers=1, heads=2, feed_forward=64, vocabulary=320, positions=256)


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    """A run from a new network."""
    pairs = tmp_path / "pairs.jsonl"
    records = [
        {"goal": f"{a} {b} : Prop\nh{a} : {a}\nh{b} : {b}\n⊢ {wanted}", "tactic": f"exact h{wanted}"}
        for a in "pqrs"
        for b in "tuvw"
        for wanted in (a, b)
    ]
    pairs.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records), encoding="utf-8")
    make_base(tmp_path / "new", pairs, SMALL, template="pythia")
    return TrainConfig(
        train=str(pairs),
        valid=str(pairs),
        out=str(tmp_path / "model"),
        base=str(tmp_path / "new"),
        learning_rate=1e-2,
        max_steps=6,
        save_every=6,
        eval_every=6,
        log_every=1,
        progress=False,
        threads=1,
    )


@pytest.mark.parametrize("shape", [(12, 12), (8, 40), (40, 8)])
def test_the_singular_values_become_one_and_the_singular_vectors_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    made = orthogonal(matrix)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    assert made.shape == shape
    mixed = left.T @ made @ right.T
    large = values > 0.2 * values[0]
    diagonal = mixed.diagonal()[large]
    assert ((diagonal > 0.65) & (diagonal < 1.25)).all()
    assert (mixed - torch.diag(mixed.diagonal())).abs().max() < 1e-6


def test_matrices_get_orthogonal_updates_of_the_right_size_and_the_rest_is_adamws() -> None:
    generator = torch.Generator().manual_seed(2)
    matrix, vector = (torch.nn.Parameter(torch.randn(s, generator=generator)) for s in ((6, 24), (24,)))
    lone = torch.nn.Parameter(vector.detach().clone())
    before = matrix.detach().clone()
    for parameter in (matrix, vector):
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    lone.grad = vector.grad.clone() if vector.grad is not None else None
    groups = [{"params": [matrix], "orthogonal": True, "weight_decay": 0.0}, {"params": [vector], "weight_decay": 0.0}]
    Muon(groups, lr=0.1, betas=(0.9, 0.98)).step()
    torch.optim.AdamW([lone], lr=0.1, betas=(0.9, 0.98), weight_decay=0.0).step()
    assert torch.equal(vector, lone)
    update = before - matrix.detach()
    assert torch.allclose(update, 0.1 * 0.2 * 24**0.5 * orthogonal(matrix.grad), atol=1e-6)


def test_a_resumed_run_has_the_momentum_of_the_one_that_was_broken_off(config: TrainConfig, tmp_path: Path) -> None:
    first = training.train(config)
    saved = torch.load(tmp_path / "model" / "checkpoints" / "checkpoint-6" / "optimizer.pt", weights_only=True)
    orthogonal_group = next(group for group in saved["param_groups"] if group["orthogonal"])
    assert all("momentum_buffer" in saved["state"][index] for index in orthogonal_group["params"])
    assert len(orthogonal_group["params"]) == 4  # attention in and out, feed-forward in and out

    second = training.train(attrs.evolve(config, max_steps=12))
    losses = [record["loss"] for record in second["history"] if "loss" in record]
    assert second["steps"] == 12
    assert losses[:6] == [record["loss"] for record in first["history"] if "loss" in record]
    assert losses[-1] < losses[6] < losses[0]


def test_the_goal_counts_in_the_training_loss_alone(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = {}
    for weight in (0.0, 0.5):
        monkeypatch.setattr(training, "GOAL_WEIGHT", weight)
        reports[weight] = training.train(config, resume=False)
    plain, weighted = (report["history"][0]["loss"] for report in reports.values())
    assert weighted > plain + 1.5  # half of the log of a vocabulary of 300
    assert reports[0.5]["valid_loss"] < weighted - 1


def test_the_time_limit_ends_a_run_with_a_checkpoint_and_counts_over_sittings(
    config: TrainConfig, tmp_path: Path
) -> None:
    for steps in (1, 2):  # the second sitting begins with its time over, and makes one step
        training.train(config, seconds=0.01)
        checkpoint = last_checkpoint(tmp_path / "model")
        assert checkpoint is not None
        assert checkpoint.name == f"checkpoint-{steps}"
    seconds = [
        json.loads((tmp_path / "model" / "checkpoints" / f"checkpoint-{step}" / "elapsed.json").read_text())["seconds"]
        for step in (1, 2)
    ]
    assert 0 < seconds[0] < seconds[1]


def test_a_new_tokenizer_is_made_for_the_pairs(tmp_path: Path) -> None:
    tokens = []
    for name in ("zyzzyva", "hp"):
        pairs = tmp_path / f"{name}.jsonl"
        pairs.write_text(json.dumps({"goal": f"⊢ {name} = {name}", "tactic": f"exact {name}"}) + "\n", encoding="utf-8")
        make_base(tmp_path / name, pairs, SMALL)
        tokens.append(len(AutoTokenizer.from_pretrained(tmp_path / name)("zyzzyva")["input_ids"]))
    assert tokens[0] < tokens[1]
