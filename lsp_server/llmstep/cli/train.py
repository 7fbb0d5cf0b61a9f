"""`llmstep train` fine-tunes a model on pairs of goal and tactic."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
import typer

from llmstep.cli.downloads import agree_to
from llmstep.cli.flags import YesOption, takes
from llmstep.cli.say import say
from llmstep.training.config import TrainConfig, read_config

_SWITCHES: Final = {
    **{name: f"--{name.replace('_', '-')}" for name in ("lora", "merge")},
    "half": "--half/--full",
    "progress": "--progress/--no-progress",
}
_FLAGS: Final = [
    (key.name, Annotated[type(key.default) | None, typer.Option(*names, help=key.metadata["help"])], None)
    for key in attrs.fields(TrainConfig)
    if "help" in key.metadata
    for names in ([_SWITCHES[key.name]] if key.name in _SWITCHES else [],)
]
"""An option for each key of the configuration; None where it is not given."""


@takes("flags", _FLAGS, dict)
def train(
    config: Annotated[Path | None, typer.Argument(help="TOML file; its keys are the names of the flags.")] = None,
    *,
    flags: dict[str, Any],
    yes: YesOption = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
) -> None:
    """Fine-tune a next-tactic model on pairs of goal and tactic.

    Decoder-only and encoder-decoder models, all weights or LoRA. On several
    GPUs: accelerate launch -m llmstep train ...

    Example: llmstep train --train pairs/train.jsonl --valid pairs/valid.jsonl
    --base EleutherAI/pythia-410m --out my-model
    """
    chosen = read_config(config, flags).checked()
    agree_to(chosen.base, yes=yes)
    from llmstep.training.trainer import run_training

    result = run_training(chosen, resume=resume)
    if os.environ.get("RANK", "0") != "0":  # one of several processes; the first speaks
        return
    loss = "" if result["valid_loss"] is None else f", held-out loss {result['valid_loss']:.3f}"
    say(f"{result['steps']} steps in {result['seconds']:.0f} s{loss}; the model is in {chosen.out}")
