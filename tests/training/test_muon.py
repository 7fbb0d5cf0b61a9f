"""The Muon optimizer, alone and in a training run that is resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
import torch

from llmstep.errors import SettingsError
from llmstep.training.config import read_config
from llmstep.training.muon import Muon, orthogonal
from llmstep.training.trainer import run_training

if TYPE_CHECKING:
    from pathlib import Path


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


def test_a_resumed_run_has_the_momentum_of_the_one_that_was_broken_off(tmp_path: Path, pairs_file: Path) -> None:
    config = attrs.evolve(
        read_config(None, {"architecture": {"hidden": 32, "layers": 1, "heads": 2, "feed_forward": 64}}),
        train=str(pairs_file),
        out=str(tmp_path / "model"),
        from_scratch=True,
        optimizer="muon",
        learning_rate=1e-2,
        max_steps=6,
        save_every=6,
        log_every=1,
        progress=False,
        threads=1,
    )
    first = run_training(config)
    saved = torch.load(tmp_path / "model" / "checkpoints" / "checkpoint-6" / "optimizer.pt", weights_only=True)
    orthogonal_group = next(group for group in saved["param_groups"] if group["orthogonal"])
    assert all("momentum_buffer" in saved["state"][index] for index in orthogonal_group["params"])
    assert len(orthogonal_group["params"]) == 4  # attention in and out, feed-forward in and out

    second = run_training(attrs.evolve(config, max_steps=12), resume=True)
    losses = [record["loss"] for record in second["history"] if "loss" in record]
    assert second["steps"] == 12
    assert losses[: len(first["history"]) - 1] == [r["loss"] for r in first["history"] if "loss" in r]
    assert losses[-1] < losses[6] < losses[0]


def test_there_are_two_optimizers(pairs_file: Path, tmp_path: Path) -> None:
    flags = {"train": str(pairs_file), "out": str(tmp_path), "from_scratch": True, "optimizer": "sgd"}
    with pytest.raises(SettingsError, match="`optimizer` must be one of adamw, muon"):
        read_config(None, flags).checked()
