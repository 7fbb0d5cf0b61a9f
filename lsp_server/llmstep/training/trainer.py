"""Fine-tuning with the Hugging Face Trainer: loss on the tactic, batches of like length, resumable, bounded in time."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments, set_seed

from llmstep.catalog.templates import get_template
from llmstep.errors import ModelLoadError, SettingsError
from llmstep.training.model import load_base, new_model, save_model
from llmstep.training.muon import Muon
from llmstep.training.pairs import IGNORED, Padding, encode_pairs, prompt_and_answer, read_pairs
from llmstep.training.tokenizer import train_tokenizer

if TYPE_CHECKING:
    from llmstep.training.config import TrainConfig

_CLOCK = "elapsed.json"
_BETAS = (0.9, 0.98)


class Clock(TrainerCallback):  # type: ignore[misc]
    """Training time over all sittings; ends the run when it is up."""

    def __init__(self, limit: float, before: float = 0.0) -> None:
        self.limit = limit
        self.before = before
        self.start = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds of training, those before a resume included."""
        return self.before + time.monotonic() - self.start

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.start = time.monotonic()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self.limit and self.elapsed >= self.limit:
            control.should_training_stop = True
            control.should_save = True

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        (folder / _CLOCK).write_text(json.dumps({"seconds": self.elapsed}), encoding="utf-8")


class PairTrainer(Trainer):  # type: ignore[misc]
    """A Trainer whose training loss may count the goal too; the loss of an evaluation is that on the tactic."""

    def __init__(self, goal_weight: float, **given: Any) -> None:
        super().__init__(**given)
        self.goal_weight = goal_weight
        if goal_weight:
            # The loss below is a mean over the batch, so the Trainer has to divide by the accumulated batches.
            self.model_accepts_loss_kwargs = False

    def compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], *given: Any, **named: Any) -> Any:
        """Mean over the tactic's tokens plus ``goal_weight`` times the mean over the goal's."""
        if not self.goal_weight or not model.training:
            return super().compute_loss(model, inputs, *given, **named)
        labels = inputs.pop("labels")
        logits = model(**inputs).logits[:, :-1].flatten(0, 1).float()
        of_goal = (labels == IGNORED) & inputs["attention_mask"].bool()
        goal = inputs["input_ids"].masked_fill(~of_goal, IGNORED)
        loss = torch.nn.functional.cross_entropy(logits, labels[:, 1:].flatten(), ignore_index=IGNORED)
        return loss + self.goal_weight * torch.nn.functional.cross_entropy(
            logits, goal[:, 1:].flatten(), ignore_index=IGNORED
        )


def cosine(warmup: int, steps: int, clock: Clock) -> Any:
    """Factor of the learning rate by step: a linear rise, then half a cosine down to a twentieth.

    How far the run has come is the larger of its share of the steps and of the time.
    """

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = max(step / max(steps, 1), clock.elapsed / clock.limit if clock.limit else 0.0)
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))

    return factor


def last_checkpoint(out: Path) -> Path | None:
    """The newest complete checkpoint below ``out``, or None."""
    found = [p for p in (out / "checkpoints").glob("checkpoint-*") if (p / "trainer_state.json").exists()]
    return max(found, key=lambda p: int(p.name.rsplit("-", 1)[1]), default=None)


def run_training(config: TrainConfig, resume: bool = False) -> dict[str, Any]:
    """Trains as the configuration says and writes the model to ``config.out``.

    Returns:
        ``steps``, ``seconds``, ``pairs``, ``valid_loss`` (None without held-out pairs) and ``history``, the
        Trainer's log records. The same goes to ``training.json`` in the folder of the checkpoints.

    Raises:
        SettingsError, ModelError: As `TrainConfig.checked`, `read_pairs` and `load_base`.
    """
    config = config.checked()
    if config.threads:
        torch.set_num_threads(config.threads)
    set_seed(config.seed)
    out = Path(config.out)
    checkpoint = last_checkpoint(out) if resume else None
    template = get_template(config.template)
    if template.family != "causal":
        raise SettingsError(f"The template {template.name!r} is not for causal models.", hint="Use `pythia`.")
    pairs = read_pairs(Path(config.train))
    model, tokenizer = _start(config, template, pairs, checkpoint)
    train = encode_pairs(tokenizer, template, pairs, config.max_tokens)
    if not train:
        raise SettingsError(f"No pair has at most {config.max_tokens} tokens.", hint="Raise `max_tokens`.")
    held_out = read_pairs(Path(config.valid))[: config.valid_pairs] if config.valid else []
    valid = encode_pairs(tokenizer, template, held_out, config.max_tokens)

    before = json.loads((checkpoint / _CLOCK).read_text())["seconds"] if checkpoint else 0.0
    done = int(checkpoint.name.rsplit("-", 1)[1]) if checkpoint else 0
    clock = Clock(config.max_seconds, before)
    steps = config.max_steps or math.ceil(config.epochs * len(train) / (config.batch_size * config.accumulate))
    optimizer = _optimizer(model, config)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, cosine(config.warmup_steps, steps, clock))
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    trainer = PairTrainer(
        config.goal_weight,
        model=model,
        args=_arguments(config, steps, bool(valid), done),
        train_dataset=train,
        eval_dataset=valid or None,
        data_collator=Padding(pad),
        processing_class=tokenizer,
        optimizers=(optimizer, schedule),
        callbacks=[clock],
    )
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    valid_loss = trainer.evaluate()["eval_loss"] if valid else None
    save_model(trainer.model, tokenizer, out, half=config.half, template=config.template)
    report = {
        "steps": trainer.state.global_step,
        "seconds": round(clock.elapsed, 1),
        "pairs": len(train),
        "valid_loss": valid_loss,
        "history": trainer.state.log_history,
    }
    (out / "checkpoints" / "training.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    return report


def _start(
    config: TrainConfig, template: Any, pairs: list[tuple[str, str]], checkpoint: Path | None
) -> tuple[Any, Any]:
    if not config.from_scratch:
        return load_base(config.base)
    if checkpoint is not None:
        return load_base(str(checkpoint))
    known = read_pairs(Path(config.vocabulary_from)) if config.vocabulary_from else pairs
    sample = known[:: max(1, len(known) // 40_000)]
    texts = (text for pair in sample for text in prompt_and_answer(template, *pair))
    tokenizer = train_tokenizer(texts, config.architecture.vocabulary)
    try:
        return new_model(config.architecture, tokenizer), tokenizer
    except ValueError as error:
        raise ModelLoadError(f"No model has this shape: {error}.", hint="Change the section [architecture].") from error


def _optimizer(model: torch.nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
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


def fast_bf16() -> bool:
    """Whether bfloat16 is worth its while here: on a GPU that has it, or a processor with its own instructions."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    try:
        return " avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False


def _arguments(config: TrainConfig, steps: int, evaluate: bool, done: int) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(Path(config.out) / "checkpoints"),
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulate,
        max_steps=steps,
        max_grad_norm=1.0,
        bf16=fast_bf16(),
        train_sampling_strategy="group_by_length",
        logging_steps=config.log_every,
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
        disable_tqdm=not config.progress,
        report_to=[],
        prediction_loss_only=True,
    )
