"""A training shown in lines, where there is no terminal for a bar."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback, ProgressCallback

if TYPE_CHECKING:
    from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments


def show_in_lines(trainer: Trainer) -> None:
    """Have a trainer print its losses in sentences on stderr, and nothing else."""
    for callback in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(callback)
    trainer.add_callback(_Lines())


def line(record: dict[str, Any], step: int, steps: int) -> str:
    """A record of the trainer's log in words; empty where it has no loss."""
    if "eval_loss" in record:
        return f"step {step} of {steps}: held-out loss {record['eval_loss']:.3f}"
    if "loss" in record:
        rate = float(record["learning_rate"])
        return f"step {step} of {steps}: loss {float(record['loss']):.3f}, learning rate {rate:.2g}"
    return ""


class _Lines(TrainerCallback):  # type: ignore[misc]
    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        said = line(logs or {}, state.global_step, state.max_steps)
        if said and state.is_world_process_zero:
            sys.stderr.write(f"{said}\n")
            sys.stderr.flush()
