"""Fine-tuning with the Hugging Face Trainer: loss on the tactic, batches of like length, resumable.

Under `accelerate launch` or `torchrun` this code runs in every process; what is written is written by the first.
"""

from __future__ import annotations

import copy
import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import torch
from transformers import DataCollatorForSeq2Seq, Trainer, TrainerCallback, TrainerState, TrainingArguments, set_seed
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from llmstep.errors import SettingsError
from llmstep.training.card import model_card
from llmstep.training.config import TrainConfig
from llmstep.training.model import load_base, save_model, with_lora
from llmstep.training.pairs import IGNORED, encode_pairs, read_pairs, with_longest


def run_training(
    config: TrainConfig, resume: bool = False, trainer_of: Callable[..., Trainer] = Trainer
) -> dict[str, Any]:
    """Trains as the configuration says and writes the model, with its card, to `config.out`.

    Args:
        resume: Go on from the last checkpoint in that folder, where there is one.
        trainer_of: Makes the Trainer of its keyword arguments.

    Returns:
        `steps`, `seconds` (of this run), `processes`, `batch` (pairs a step, in all processes), `pairs`, `valid_pairs`,
        `train_loss` (the last that was logged), `valid_loss` (None without held-out pairs) and `history`, the Trainer's
        log records. The same goes to `training.json` in the folder of the checkpoints.

    Raises:
        SettingsError, RequestError, ModelError: As `TrainConfig.checked`, `read_pairs` and `load_base`.
    """
    config = config.checked()
    if config.precision == "fp16" and not torch.accelerator.is_available():
        raise SettingsError("fp16 is for GPUs, and there is none.", hint="Choose the precision bf16 or float32.")
    if config.threads:
        torch.set_num_threads(config.threads)
    set_seed(config.seed)
    pairs = read_pairs(Path(config.train))
    base = load_base(config)
    reads_place = base.template.reads_place
    if base.template.needs_context and not any(pair.file_context.strip() for pair in pairs):
        raise SettingsError(
            f"The template {base.template.name} reads the file before the goal,"
            f" and no pair of {config.train} has its text.",
            hint="Make the pairs anew with `llmstep data` from Lean files, or choose another template.",
        )
    held_out = read_pairs(Path(config.valid))[: config.valid_pairs] if config.valid else []
    positions = getattr(base.model.config.get_text_config(), "max_position_embeddings", None)
    template = with_longest(base.template, config.max_tokens, positions)
    train, valid = (
        encode_pairs(
            base.tokenizer,
            template,
            part if reads_place else [attrs.evolve(pair, file_context="") for pair in part],
            config.max_tokens,
            positions,
        )
        for part in (pairs, held_out)
    )
    if not train:
        raise SettingsError(f"No pair has at most {config.max_tokens} tokens.", hint="Raise `max_tokens`.")

    arguments = _arguments(config, len(train), evaluate=bool(valid))
    trainer = trainer_of(
        model=with_lora(base.model, config) if config.lora else base.model,
        args=arguments,
        train_dataset=train,
        eval_dataset=valid or None,
        data_collator=collator(base.tokenizer, base.model),
        processing_class=base.tokenizer,
        compute_loss_func=_answer_loss if template.family == "seq2seq" else None,
    )
    if arguments.disable_tqdm:
        for callback in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(callback)
        trainer.add_callback(_Lines())
    checkpoint = last_checkpoint(Path(config.out)) if resume else None
    result = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    valid_loss = trainer.evaluate()["eval_loss"] if valid else None
    history = trainer.state.log_history
    report = {
        "steps": trainer.state.global_step,
        "seconds": round(result.metrics["train_runtime"], 1),
        "processes": arguments.world_size,
        "batch": arguments.train_batch_size * config.accumulate * arguments.world_size,
        "pairs": len(train),
        "valid_pairs": len(valid),
        "train_loss": next((record["loss"] for record in reversed(history) if "loss" in record), None),
        "valid_loss": valid_loss,
        "history": history,
    }
    weights = None
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:  # every process helps to put them together
        weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if trainer.is_world_process_zero():
        model = trainer.accelerator.unwrap_model(trainer.model)
        if config.merge:
            model = model.merge_and_unload()
        adapter = config.lora and not config.merge
        dtype = getattr(torch, base.narrow) if config.half and not adapter else None
        out = Path(config.out)
        save_model(model, base, out, template=template, dtype=dtype, weights=weights)
        (out / "README.md").write_text(model_card(config, template, report, adapter=adapter), encoding="utf-8")
        (out / "checkpoints" / "training.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    return report


def last_checkpoint(out: Path) -> Path | None:
    """The newest complete checkpoint below `out`, or None."""
    found = [p for p in (out / "checkpoints").glob("checkpoint-*") if (p / "trainer_state.json").exists()]
    return max(found, key=lambda p: int(p.name.rsplit("-", 1)[1]), default=None)


def fast_bf16() -> bool:
    """Whether bfloat16 is worth its while here: on a GPU that has it, or a processor with its own instructions."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    try:
        return " avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False


def _arguments(config: TrainConfig, pairs: int, *, evaluate: bool) -> TrainingArguments:
    batch = config.batch_size * config.accumulate * int(os.environ.get("WORLD_SIZE", "1"))
    steps = config.max_steps or math.ceil(config.epochs * pairs / batch)
    return TrainingArguments(
        output_dir=str(Path(config.out) / "checkpoints"),
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulate,
        max_steps=steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine_warmup_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.05},
        warmup_steps=config.warmup_steps,
        weight_decay=config.weight_decay,
        adam_beta2=0.98,
        bf16=config.precision == "bf16" or (config.precision == "auto" and fast_bf16()),
        fp16=config.precision == "fp16",
        train_sampling_strategy="group_by_length",
        logging_steps=min(config.log_every, steps),
        eval_strategy="steps" if evaluate else "no",
        eval_steps=config.eval_every,
        save_strategy="steps",
        save_steps=config.save_every,
        save_total_limit=2,
        seed=config.seed,
        dataloader_pin_memory=False,
        disable_tqdm=not (config.progress and sys.stderr.isatty()),
        # Without this, several processes on a machine without accelerators would each train alone.
        use_cpu=not torch.accelerator.is_available(),
        ddp_find_unused_parameters=False,
        report_to=[],
        prediction_loss_only=True,
        label_names=["labels"],
    )


def line(record: dict[str, Any], step: int, steps: int) -> str:
    """A record of the trainer's log in words; empty where it has no loss."""
    if "eval_loss" in record:
        return f"step {step} of {steps}: held-out loss {record['eval_loss']:.3f}"
    if "loss" in record:
        rate = float(record["learning_rate"])
        return f"step {step} of {steps}: loss {float(record['loss']):.3f}, learning rate {rate:.2g}"
    return ""


class _Lines(TrainerCallback):  # type: ignore[misc]
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


def _answer_loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
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
