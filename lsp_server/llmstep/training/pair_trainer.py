"""The Hugging Face Trainer with our loss, optimizer and learning rate."""

from __future__ import annotations

import copy
import sys
from typing import Any

import torch
from transformers import DataCollatorForSeq2Seq, Trainer, TrainerCallback, TrainerState
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from llmstep.training.config import TrainConfig
from llmstep.training.pairs import IGNORED
from llmstep.training.schedule import Clock, cosine, make_optimizer


class PairTrainer(Trainer):  # type: ignore[misc]
    """A Trainer whose training loss may count the goal too; the loss of an evaluation is that on the tactic.

    Losses are means over the tactic's tokens of a whole step: over all batches that are accumulated, in all processes.
    """

    optimizer: Any
    lr_scheduler: Any

    def __init__(self, config: TrainConfig, clock: Clock, *, seq2seq: bool, **given: Any) -> None:
        super().__init__(callbacks=[clock], compute_loss_func=_on_answers if seq2seq else None, **given)
        self.config = config
        self.clock = clock
        if config.goal_weight:
            # The loss below is a mean over the batch, so the Trainer has to divide by the accumulated batches.
            self.model_accepts_loss_kwargs = False

    def show_in_lines(self) -> None:
        """Show losses in lines, and nothing else."""
        for callback in (PrinterCallback, ProgressCallback):
            self.remove_callback(callback)
        self.add_callback(Lines())

    def create_optimizer(self, model: Any = None) -> Any:
        """The optimizer of the configuration. It is made here and not given to the Trainer, as FSDP wants it."""
        if self.optimizer is None:
            self.optimizer = make_optimizer(self.model if model is None else model, self.config)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """See `cosine`."""
        if self.lr_scheduler is None:
            factor = cosine(self.config.warmup_steps, num_training_steps, self.clock)
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, factor)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], *given: Any, **named: Any) -> Any:
        """Mean over the tactic's tokens plus ``goal_weight`` times the mean over the goal's."""
        if not self.config.goal_weight or not model.training:
            return super().compute_loss(model, inputs, *given, **named)
        labels = inputs.pop("labels")
        logits = model(**inputs).logits[:, :-1].flatten(0, 1).float()
        of_goal = (labels == IGNORED) & inputs["attention_mask"].bool()
        goal = inputs["input_ids"].masked_fill(~of_goal, IGNORED)
        loss = torch.nn.functional.cross_entropy(logits, labels[:, 1:].flatten(), ignore_index=IGNORED)
        return loss + self.config.goal_weight * torch.nn.functional.cross_entropy(
            logits, goal[:, 1:].flatten(), ignore_index=IGNORED
        )


def line(record: dict[str, Any], step: int, steps: int) -> str:
    """A record of the trainer's log in words; empty where it has no loss."""
    if "eval_loss" in record:
        return f"step {step} of {steps}: held-out loss {record['eval_loss']:.3f}"
    if "loss" in record:
        rate = float(record["learning_rate"])
        return f"step {step} of {steps}: loss {float(record['loss']):.3f}, learning rate {rate:.2g}"
    return ""


class Lines(TrainerCallback):  # type: ignore[misc]
    """Prints losses in sentences on stderr, where there is no terminal for a bar."""

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: dict[str, Any], **_: Any) -> None:
        said = line(logs, state.global_step, state.max_steps)
        if said and state.is_world_process_zero:
            sys.stderr.write(f"{said}\n")
            sys.stderr.flush()


def collator(tokenizer: Any, model: Any) -> DataCollatorForSeq2Seq:
    """Puts examples into batches, padded on the right to the longest, with what an encoder-decoder's decoder reads."""
    padder = copy.deepcopy(tokenizer)
    padder.padding_side = "right"
    if padder.pad_token_id is None:
        padder.pad_token = padder.eos_token
    return DataCollatorForSeq2Seq(padder, model, label_pad_token_id=IGNORED)


def _on_answers(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
    """Loss of an encoder-decoder model. The models' own is a mean over one batch, whatever is accumulated.

    Args:
        outputs: With logits ``[batch, answer, vocabulary]``.
        labels: ``[batch, answer]``.
        num_items_in_batch: Labels that count in the whole step; None in an evaluation.
    """
    total = torch.nn.functional.cross_entropy(
        outputs.logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / ((labels != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch)
