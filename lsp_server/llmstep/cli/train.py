"""`llmstep train` fine-tunes a model on pairs of goal and tactic."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003
from typing import Annotated

import typer

from llmstep.cli.downloads import YesOption, agree_to
from llmstep.cli.say import say

_Text = str | None
_Whole = int | None
_Number = float | None


def train(
    config: Annotated[Path | None, typer.Argument(help="TOML file; its keys are the names of the flags.")] = None,
    train_file: Annotated[_Text, typer.Option("--train", help='JSONL of pairs {"goal": ..., "tactic": ...}.')] = None,
    valid: Annotated[_Text, typer.Option(help="JSONL of held-out pairs, for the loss that is shown.")] = None,
    out: Annotated[_Text, typer.Option(help="Folder for the model and the checkpoints.")] = None,
    base: Annotated[_Text, typer.Option(help="Catalog name, Hugging Face id or folder to start from.")] = None,
    from_scratch: Annotated[
        bool | None, typer.Option("--from-scratch", help="Start from a new small GPT-NeoX.")
    ] = None,
    vocabulary_from: Annotated[_Text, typer.Option(help="JSONL of pairs to make the new tokenizer for.")] = None,
    template: Annotated[_Text, typer.Option(help="Prompt template of the catalog; default the base's own.")] = None,
    lora: Annotated[bool | None, typer.Option("--lora", help="Train an adapter instead of all weights.")] = None,
    lora_rank: Annotated[_Whole, typer.Option(help="Rank of the adapter's matrices.")] = None,
    lora_alpha: Annotated[_Whole, typer.Option(help="Scale of the adapter, divided by its rank.")] = None,
    lora_dropout: Annotated[_Number, typer.Option(help="Share of the adapter's inputs that is left out.")] = None,
    lora_modules: Annotated[_Text, typer.Option(help="Adapted modules, q_proj,v_proj; default all linear.")] = None,
    merge: Annotated[bool | None, typer.Option("--merge", help="Write base and adapter as one model.")] = None,
    precision: Annotated[_Text, typer.Option(help="auto, bf16, fp16 or float32.")] = None,
    licence: Annotated[_Text, typer.Option(help="Licence for the model card: mit, apache-2.0.")] = None,
    epochs: Annotated[_Number, typer.Option(help="Times that each pair is seen.")] = None,
    max_steps: Annotated[_Whole, typer.Option(help="Stop after this many steps.")] = None,
    max_seconds: Annotated[_Number, typer.Option(help="Stop after this much training time.")] = None,
    batch_size: Annotated[_Whole, typer.Option(help="Pairs a batch, in each process.")] = None,
    accumulate: Annotated[_Whole, typer.Option(help="Batches a step.")] = None,
    optimizer: Annotated[_Text, typer.Option(help="adamw, or muon for --from-scratch.")] = None,
    learning_rate: Annotated[_Number, typer.Option(help="Largest learning rate.")] = None,
    warmup_steps: Annotated[_Whole, typer.Option(help="Steps until the largest learning rate.")] = None,
    weight_decay: Annotated[_Number, typer.Option(help="Weight decay of the matrices.")] = None,
    goal_weight: Annotated[_Number, typer.Option(help="Weight of the loss on the goal, for --from-scratch.")] = None,
    max_tokens: Annotated[_Whole, typer.Option(help="Leave out longer pairs.")] = None,
    valid_pairs: Annotated[_Whole, typer.Option(help="Held-out pairs used for the loss.")] = None,
    eval_every: Annotated[_Whole, typer.Option(help="Steps between two evaluations.")] = None,
    save_every: Annotated[_Whole, typer.Option(help="Steps between two checkpoints.")] = None,
    log_every: Annotated[_Whole, typer.Option(help="Steps between two log lines.")] = None,
    seed: Annotated[_Whole, typer.Option(help="Seed of weights and order.")] = None,
    threads: Annotated[_Whole, typer.Option(help="Processor threads.")] = None,
    half: Annotated[bool | None, typer.Option("--half/--full", help="Write 16- or 32-bit weights.")] = None,
    progress: Annotated[bool | None, typer.Option("--progress/--no-progress", help="Show a progress bar.")] = None,
    yes: YesOption = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
) -> None:
    """Fine-tune a next-tactic model on pairs of goal and tactic.

    Decoder-only and encoder-decoder models, all weights or LoRA. On several
    GPUs: accelerate launch -m llmstep train ...

    Example: llmstep train --train pairs/train.jsonl --valid pairs/valid.jsonl
    --base EleutherAI/pythia-410m --out my-model
    """
    from llmstep.training.config import read_config

    flags = {key: value for key, value in locals().items() if key not in ("config", "resume", "yes", "read_config")}
    flags["train"] = flags.pop("train_file")
    chosen = read_config(config, flags).checked()
    if chosen.base:
        agree_to(chosen.base, yes=yes)
    from llmstep.training.trainer import run_training

    result = run_training(chosen, resume=resume)
    if os.environ.get("RANK", "0") != "0":  # one of several processes; the first speaks
        return
    loss = "" if result["valid_loss"] is None else f", held-out loss {result['valid_loss']:.3f}"
    say(f"{result['steps']} steps in {result['seconds']:.0f} s{loss}; the model is in {chosen.out}")
