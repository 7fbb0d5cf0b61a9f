"""What the training of a small new model does otherwise: Muon, a loss on the goal too, and an end by the clock."""

from __future__ import annotations

import functools
import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState

from llmstep.training.config import TrainConfig
from llmstep.training.pairs import IGNORED
from llmstep.training.trainer import run_training
from starter.muon import Muon

GOAL_WEIGHT = 0.5
"""Weight of the loss on the goal: a new model learns from goals to repeat names."""
CLOCK = "elapsed.json"
"""A file in each checkpoint with the training time so far."""
_BETAS = (0.9, 0.98)


def train(config: TrainConfig, *, seconds: float = 0.0, resume: bool = True) -> dict[str, Any]:
    """Trains as `run_training` does.

    Args:
        seconds: Training time, that before a resume included; 0 is no limit.
    """
    return run_training(config, resume, functools.partial(StarterTrainer, seconds))


class Clock(TrainerCallback):  # type: ignore[misc]
    """Training time over all sittings; ends the run when it is up."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.start = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds of training, those before a resume included."""
        return time.monotonic() - self.start

    @property
    def share(self) -> float:
        """Which part of the time is over; 0 without a limit."""
        return self.elapsed / self.limit if self.limit else 0.0

    def resume(self, checkpoint: Path) -> None:
        """Count the time of a checkpoint as well."""
        self.start -= json.loads((checkpoint / CLOCK).read_text(encoding="utf-8"))["seconds"]

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self.limit and self.elapsed >= self.limit:
            control.should_training_stop = True
            control.should_save = True

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        (folder / CLOCK).write_text(json.dumps({"seconds": self.elapsed}), encoding="utf-8")


class StarterTrainer(Trainer):  # type: ignore[misc]
    """A Trainer with Muon and a clock, whose training loss counts the goal; that of an evaluation is on the tactic."""

    optimizer: Any
    lr_scheduler: Any

    def __init__(self, seconds: float, **given: Any) -> None:
        self.clock = Clock(seconds)
        super().__init__(callbacks=[self.clock], **given)
        # The loss below is a mean over the batch, so the Trainer has to divide by the accumulated batches.
        self.model_accepts_loss_kwargs = False
        if not torch.accelerator.is_available():
            # With short pairs plain attention is the faster one on a processor: for 80 tokens in 0.6 of the time.
            self.model.set_attn_implementation("eager")

    def train(self, resume_from_checkpoint: str | None = None) -> Any:
        """See `Trainer.train`."""
        if resume_from_checkpoint:
            self.clock.resume(Path(resume_from_checkpoint))
        return super().train(resume_from_checkpoint=resume_from_checkpoint)

    def create_optimizer(self, model: Any = None) -> Any:
        """Muon for the matrices of the layers, AdamW for the rest; weight decay for matrices only."""
        embeddings = {id(p) for m in self.model.modules() if isinstance(m, torch.nn.Embedding) for p in m.parameters()}
        parameters = list(self.model.parameters())
        vectors = [p for p in parameters if p.ndim < 2]
        tables = [p for p in parameters if p.ndim >= 2 and id(p) in embeddings]
        matrices = [p for p in parameters if p.ndim >= 2 and id(p) not in embeddings]
        decay = self.args.weight_decay
        groups: list[dict[str, Any]] = [
            {"params": matrices, "weight_decay": decay, "orthogonal": True},
            {"params": tables, "weight_decay": decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        self.optimizer = Muon(groups, lr=self.args.learning_rate, betas=_BETAS)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """A linear rise, then half a cosine down to a twentieth.

        How far the run has come is the larger of its share of the steps and of the time.
        """

        def factor(step: int) -> float:
            if step < self.args.warmup_steps:
                return float((step + 1) / self.args.warmup_steps)
            done = max(step / max(num_training_steps, 1), self.clock.share)
            return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))

        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, factor)
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], *given: Any, **named: Any) -> Any:
        """Mean over the tactic's tokens plus `GOAL_WEIGHT` times the mean over the goal's."""
        if not model.training:
            return super().compute_loss(model, inputs, *given, **named)
        labels = inputs.pop("labels")
        logits = model(**inputs).logits[:, :-1].flatten(0, 1).float()
        of_goal = (labels == IGNORED) & inputs["attention_mask"].bool()
        goal = inputs["input_ids"].masked_fill(~of_goal, IGNORED)
        loss = torch.nn.functional.cross_entropy(logits, labels[:, 1:].flatten(), ignore_index=IGNORED)
        return loss + GOAL_WEIGHT * torch.nn.functional.cross_entropy(
            logits, goal[:, 1:].flatten(), ignore_index=IGNORED
        )
