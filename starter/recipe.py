"""The whole way to the starter model: data, tokenizer, training, evaluation, and its place in the package."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.catalog.files import HINTS
from llmstep.catalog.local_names import local_names
from llmstep.errors import LlmstepError
from llmstep.training.config import TrainConfig, read_config
from starter.dataset import generate, write_splits
from starter.evaluate import STATEMENTS, evaluate_model, held_out
from starter.lean_run import first_goals
from starter.network import Shape, make_base

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SHIPPED = (
    "config.json",
    "generation_config.json",
    HINTS,
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
)
SHAPE = Shape()
LARGER = Shape(hidden=384, layers=8, heads=6, feed_forward=1536)
LARGEST = 30_000_000
"""Most bytes that the shipped folder may have."""


def starter_configs(folder: Path, *, larger: bool = False) -> tuple[TrainConfig, TrainConfig]:
    """The two parts of the training, from ``first.toml`` and ``second.toml``, with the files of a run in ``folder``.

    The first part sees short pairs only, where it is learnt sooner which of the names is wanted; the second sees all.

    Args:
        larger: Steps that fill a GPU, for the larger network.
    """
    here, data = Path(__file__).parent, folder / "data"
    first = attrs.evolve(
        read_config(here / "first.toml", {}),
        train=str(data / "short-train.jsonl"),
        valid=str(data / "short-valid.jsonl"),
        out=str(folder / "first"),
        base=str(folder / "new"),
    )
    second = attrs.evolve(
        read_config(here / "second.toml", {}),
        train=str(data / "train.jsonl"),
        valid=str(data / "valid.jsonl"),
        out=str(folder / "model"),
        base=first.out,
    )
    if larger:
        first, second = (
            attrs.evolve(part, batch_size=512, learning_rate=2 * part.learning_rate) for part in (first, second)
        )
    return first, second


def make_starter(
    lean: Sequence[str],
    folder: Path,
    *,
    seconds: float = 3600,
    shards: int = 60,
    processes: int = 2,
    threads: int = 0,
    resume: bool = True,
    base: str = "",
    larger: bool = False,
    kept_back: Path | None = None,
    report: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Makes the starter model below ``folder``: shards, data, the new network, first, model and ``evaluation.json``.

    What is there already is kept, so that a run that was broken off goes on where it was. Half of the
    training time goes to each part.

    Args:
        base: Model to train on, the bundled ``starter`` for example; the second part has all of the time then.
        larger: A network of 14 million parameters (29 MB), and steps that fill a GPU.
        kept_back: File of theorems whose goals are left out of the training, for what is measured on them.

    Returns:
        The figures of `evaluate_model` for statements of the test part.
    """
    from starter.training import train

    generate(lean, folder / "shards", shards, processes, report)
    goals = plain_goals(lean, kept_back) if kept_back else set()
    for part, counts in write_splits(folder / "shards", folder / "data", goals).items():
        report(f"{part}: {sum(counts.values())} distinct pairs, {dict(counts)}")
    first, second = starter_configs(folder, larger=larger)
    if not base and not (folder / "new" / HINTS).is_file():  # what is written last
        make_base(folder / "new", Path(second.train), LARGER if larger else SHAPE)
    parts = [attrs.evolve(second, base=base)] if base else [first, second]
    for config in parts:
        trained = train(attrs.evolve(config, threads=threads), seconds=seconds / len(parts), resume=resume)
        loss = "" if trained["valid_loss"] is None else f", held-out loss {trained['valid_loss']:.3f}"
        report(f"{trained['steps']} steps in {trained['seconds']:.0f} s{loss}")
    evaluation = evaluate_model(folder / "model", lean, held_out(folder / "data" / "test.jsonl", STATEMENTS, 1))
    (folder / "evaluation.json").write_text(json.dumps(evaluation, ensure_ascii=False, indent=1), encoding="utf-8")
    return evaluation


def plain_goals(lean: Sequence[str], theorems: Path) -> set[str]:
    """The goals, with plain names, of those statements in a file that the generator drew.

    The others are the laws that everybody begins with, and stay in the training.
    """
    records = map(json.loads, theorems.read_text(encoding="utf-8").splitlines())
    statements = [record["statement"] for record in records if record["source"] == "generated"]
    return {local_names(goal).hidden(goal) for goal in first_goals(lean, statements)}


def install(model: Path, target: Path) -> int:
    """Copies the files of a model that a user needs into ``target``; returns their size in bytes.

    Raises:
        LlmstepError: The folder is incomplete or larger than the package may carry.
    """
    missing = [name for name in SHIPPED if name != "generation_config.json" and not (model / name).is_file()]
    if missing:
        raise LlmstepError(f"{model} has no {missing[0]}.", hint="Train the model first.")
    files = [model / name for name in SHIPPED if (model / name).is_file()]
    size = sum(file.stat().st_size for file in files)
    if size > LARGEST:
        raise LlmstepError(f"The model has {size} bytes, the package carries {LARGEST}.", hint="Make it smaller.")
    target.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(file, target / file.name)
    return size
