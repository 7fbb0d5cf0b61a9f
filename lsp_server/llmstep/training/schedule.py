"""Optimizer and learning rate of a training, and the clock that both the learning rate and the end may depend on."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState

from llmstep.training.config import TrainConfig
from llmstep.training.muon import Muon

CLOCK = "elapsed.json"
"""A file in each checkpoint with the training time so far."""

_BETAS = (0.9, 0.98)


class Clock(TrainerCallback):  # type: ignore[misc]
    """Training time over all sittings; ends the run when it is up."""

    def __init__(self, limit: float, before: float = 0.0) -> None:
        self.limit = limit
        self.before = before
        self.start = time.monotonic()
        self.agreed = before
        """Training time at the end of the last step, the same in all processes."""

    @property
    def elapsed(self) -> float:
        """Seconds of training, those before a resume included."""
        return self.before + time.monotonic() - self.start

    @property
    def share(self) -> float:
        """Which part of the time is over; 0 without a limit."""
        return self.agreed / self.limit if self.limit else 0.0

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.start = time.monotonic()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if not self.limit:
            return
        self.agreed = _slowest(self.elapsed, args.device)
        if self.agreed >= self.limit:
            control.should_training_stop = True
            control.should_save = True

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            (folder / CLOCK).write_text(json.dumps({"seconds": self.elapsed}), encoding="utf-8")


def _slowest(seconds: float, device: Any) -> float:
    """The largest of the processes' times: they have to stop at the same step, with the same learning rate."""
    if not torch.distributed.is_initialized():
        return seconds
    times = torch.tensor([seconds], device=device)
    torch.distributed.all_reduce(times, op=torch.distributed.ReduceOp.MAX)
    return float(times)


def cosine(warmup: int, steps: int, clock: Clock) -> Any:
    """Factor of the learning rate by step: a linear rise, then half a cosine down to a twentieth.

    How far the run has come is the larger of its share of the steps and of the time.
    """

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = max(step / max(steps, 1), clock.share)
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))

    return factor


def make_optimizer(model: torch.nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Weight decay for matrices only; with ``muon`` those of the layers are the ones it is made for."""
    muon = config.optimizer == "muon"
    embeddings = {id(p) for m in model.modules() if isinstance(m, torch.nn.Embedding) for p in m.parameters()}
    vectors: list[torch.nn.Parameter] = []
    tables: list[torch.nn.Parameter] = []
    matrices: list[torch.nn.Parameter] = []
    for p in (p for p in model.parameters() if p.requires_grad):
        (vectors if p.ndim < 2 else tables if id(p) in embeddings else matrices).append(p)
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": tables, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    if not muon:
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=_BETAS)
    groups[0]["orthogonal"] = True
    return Muon(groups, lr=config.learning_rate, betas=_BETAS)
