"""Fine-tuning with the Hugging Face Trainer: loss on the tactic, batches of like length, resumable, bounded in time.

Under `accelerate launch` or `torchrun` this code runs in every process; what is written is written by the first.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import attrs
import torch
from transformers import TrainingArguments, set_seed

from llmstep.catalog.template import PromptTemplate
from llmstep.errors import ModelLoadError, SettingsError
from llmstep.training.adapters import with_lora
from llmstep.training.card import model_card
from llmstep.training.config import TrainConfig
from llmstep.training.model import load_base, new_model, save_model, template_of
from llmstep.training.pair_trainer import PairTrainer, collator
from llmstep.training.pairs import Example, answer_text, encode_pairs, read_pairs, with_longest
from llmstep.training.schedule import CLOCK, Clock
from llmstep.training.tokenizer import train_tokenizer

_SHORT = 512
"""Tokens up to which plain attention is the faster one on a processor: for 80, a whole step takes 0.6 of the time."""


def last_checkpoint(out: Path) -> Path | None:
    """The newest complete checkpoint below ``out``, or None."""
    found = [p for p in (out / "checkpoints").glob("checkpoint-*") if (p / "trainer_state.json").exists()]
    return max(found, key=lambda p: int(p.name.rsplit("-", 1)[1]), default=None)


def run_training(config: TrainConfig, resume: bool = False) -> dict[str, Any]:
    """Trains as the configuration says and writes the model, with its card, to ``config.out``.

    Returns:
        ``steps``, ``seconds``, ``processes``, ``batch`` (pairs a step, in all processes), ``pairs``, ``valid_pairs``,
        ``train_loss`` (the last that was logged), ``valid_loss`` (None without held-out pairs) and ``history``, the
        Trainer's log records. The same goes to ``training.json`` in the folder of the checkpoints.

    Raises:
        SettingsError, ModelError: As `TrainConfig.checked`, `read_pairs`, `load_base` and `template_of`.
    """
    config = config.checked()
    if config.precision == "fp16" and not torch.accelerator.is_available():
        raise SettingsError("fp16 is for GPUs, and there is none.", hint="Choose the precision bf16 or float32.")
    if config.threads:
        torch.set_num_threads(config.threads)
    set_seed(config.seed)
    out = Path(config.out)
    checkpoint = last_checkpoint(out) if resume else None
    pairs = read_pairs(Path(config.train))
    model, tokenizer, template = _start(config, pairs, checkpoint)
    if not torch.accelerator.is_available() and config.max_tokens <= _SHORT:
        model.set_attn_implementation("eager")
    if not template.reads_place:
        pairs = [attrs.evolve(pair, file_context="") for pair in pairs]
    elif template.needs_context and not any(pair.file_context.strip() for pair in pairs):
        raise SettingsError(
            f"The template {template.name} reads the file before the goal, and no pair of {config.train} has its text.",
            hint="Make the pairs anew with `llmstep data` from Lean files, or choose another template.",
        )
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    template = with_longest(template, config.max_tokens, positions)
    train = encode_pairs(tokenizer, template, pairs, config.max_tokens, positions)
    if not train:
        raise SettingsError(f"No pair has at most {config.max_tokens} tokens.", hint="Raise `max_tokens`.")
    held_out = read_pairs(Path(config.valid), context=template.reads_place) if config.valid else []
    valid = encode_pairs(tokenizer, template, held_out[: config.valid_pairs], config.max_tokens, positions)

    before = json.loads((checkpoint / CLOCK).read_text())["seconds"] if checkpoint else 0.0
    done = int(checkpoint.name.rsplit("-", 1)[1]) if checkpoint else 0
    clock = Clock(config.max_seconds, before)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    batch = config.batch_size * config.accumulate * processes
    steps = config.max_steps or math.ceil(config.epochs * len(train) / batch)
    seq2seq = template.family == "seq2seq"
    if seq2seq:
        _need_decoder_start(model)
    trainer = PairTrainer(
        config,
        clock,
        seq2seq=seq2seq,
        model=with_lora(model, config) if config.lora else model,
        args=_arguments(config, steps, bool(valid), done),
        train_dataset=train,
        eval_dataset=valid or None,
        data_collator=collator(tokenizer, model),
        processing_class=tokenizer,
    )
    if not _draws(config):
        trainer.show_in_lines()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    valid_loss = trainer.evaluate()["eval_loss"] if valid else None
    history = trainer.state.log_history
    report = {
        "steps": trainer.state.global_step,
        "seconds": round(clock.elapsed, 1),
        "processes": processes,
        "batch": batch,
        "pairs": len(train),
        "valid_pairs": len(valid),
        "train_loss": next((record["loss"] for record in reversed(history) if "loss" in record), None),
        "valid_loss": valid_loss,
        "history": history,
    }
    _write(trainer, tokenizer, config, template, report)
    return report


def _start(config: TrainConfig, pairs: list[Example], checkpoint: Path | None) -> tuple[Any, Any, PromptTemplate]:
    """The model to start from, its tokenizer, and the template."""
    if not config.from_scratch:
        model, tokenizer = load_base(config.base)
        template = template_of(config.template, config.base, "seq2seq" if model.config.is_encoder_decoder else "causal")
        if config.goal_weight and template.family == "seq2seq":
            raise SettingsError(
                "An encoder-decoder model has no loss on the goal, which it only reads.", hint="Leave out goal_weight."
            )
        return model, tokenizer, template
    template = template_of(config.template, "", "causal")
    if checkpoint is not None:
        return *load_base(str(checkpoint)), template
    known = read_pairs(Path(config.vocabulary_from)) if config.vocabulary_from else pairs
    sample = known[:: max(1, len(known) // 40_000)]
    asks = (
        (each.prompt_input(), each.tactic)
        for each in (attrs.evolve(p, file_context=p.file_context[-4000:]) for p in sample)
    )
    texts = (
        text
        for prompt_input, tactic in asks
        for text in (template.prompt(prompt_input), answer_text(template, prompt_input, tactic))
    )
    tokenizer = train_tokenizer(texts, config.architecture.vocabulary)
    try:
        return new_model(config.architecture, tokenizer), tokenizer, template
    except ValueError as error:
        raise ModelLoadError(f"No model has this shape: {error}.", hint="Change the section [architecture].") from error


def _need_decoder_start(model: Any) -> None:
    """
    Raises:
        ModelLoadError: Neither of the model's configurations names the token that its decoder starts with.
    """
    starts = [getattr(each, "decoder_start_token_id", None) for each in (model.generation_config, model.config)]
    model.config.decoder_start_token_id = next((start for start in starts if start is not None), None)
    if model.config.decoder_start_token_id is None:
        raise ModelLoadError(
            "The base does not say with which token its decoder starts.",
            hint="Set decoder_start_token_id in its config.json.",
        )


def _write(
    trainer: PairTrainer, tokenizer: Any, config: TrainConfig, template: PromptTemplate, report: dict[str, Any]
) -> None:
    """Writes the model, its card and the report, in the first process; the others help to put the weights together."""
    weights = None
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if not trainer.is_world_process_zero():
        return
    model = trainer.accelerator.unwrap_model(trainer.model)
    if config.merge:
        model = model.merge_and_unload()
    out = Path(config.out)
    save_model(model, tokenizer, out, half=config.half, template=template, weights=weights)
    card = model_card(config, template, report, adapter=config.lora and not config.merge)
    (out / "README.md").write_text(card, encoding="utf-8")
    (out / "checkpoints" / "training.json").write_text(json.dumps(report, indent=1), encoding="utf-8")


def fast_bf16() -> bool:
    """Whether bfloat16 is worth its while here: on a GPU that has it, or a processor with its own instructions."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    try:
        return " avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False


def _draws(config: TrainConfig) -> bool:
    """Whether a bar is drawn."""
    return config.progress and sys.stderr.isatty()


def _arguments(config: TrainConfig, steps: int, evaluate: bool, done: int) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(Path(config.out) / "checkpoints"),
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulate,
        max_steps=steps,
        max_grad_norm=1.0,
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
        # A resumed run draws a new order instead of reading its way back to its place: the pairs may be others by then.
        data_seed=config.seed + done,
        ignore_data_skip=True,
        dataloader_pin_memory=False,
        disable_tqdm=not _draws(config),
        # Without this, several processes on a machine without accelerators would each train alone.
        use_cpu=not torch.accelerator.is_available(),
        ddp_find_unused_parameters=False,
        report_to=[],
        prediction_loss_only=True,
        label_names=["labels"],
    )
