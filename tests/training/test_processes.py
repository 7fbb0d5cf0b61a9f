"""A training in two processes, started by accelerate on this machine's processors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser
from safetensors.torch import load_file

from llmstep.training.config import read_config
from llmstep.training.launch import FILES
from llmstep.training.trainer import run_training
from starter.network import Shape, make_base

if TYPE_CHECKING:
    from pathlib import Path

NAMES = "pqrsabcd"
SMALL = Shape(hidden=32, layers=2, heads=2, feed_forward=64, vocabulary=320, positions=128)
SETTINGS = """\
max_steps = 4
learning_rate = 3e-3
warmup_steps = 1
log_every = 1
eval_every = 2
save_every = 2
progress = false
threads = 1
precision = "float32"
half = false
"""


def logged(out: Path, key: str) -> list[float]:
    history: list[dict[str, Any]] = json.loads((out / "checkpoints" / "training.json").read_text())["history"]
    return [record[key] for record in history if key in record]


@pytest.mark.slow
def test_two_processes_learn_from_both_halves_of_each_step(tmp_path: Path) -> None:
    """Two processes with 8 pairs each do what one does with 16, and not what one does with 8.

    All pairs are equally long, so that batches of like length are the same batches however large they are.
    """
    pairs = tmp_path / "pairs.jsonl"
    records = [
        {"goal": f"{a} {b} : Prop\nh{a} : {a}\nh{b} : {b}\n⊢ {wanted}", "tactic": f"exact h{wanted}"}
        for a in NAMES
        for b in NAMES
        if a != b
        for wanted in (a, b)
    ]
    pairs.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records), encoding="utf-8")
    make_base(tmp_path / "base", pairs, SMALL, template="pythia")
    settings = tmp_path / "train.toml"
    files = f'train = "{pairs}"\nvalid = "{pairs}"\nbase = "{tmp_path / "base"}"\n'
    settings.write_text(files + SETTINGS, encoding="utf-8")
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
    command += ["--config_file", str(FILES["ddp"]), "--num_processes", "2", "--main_process_port", "0"]
    command += ["-m", "llmstep", "train", str(settings), "--out", str(tmp_path / "two"), "--batch-size", "8"]
    run = subprocess.run(
        command, capture_output=True, text=True, timeout=280, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("the model is in") == 1  # only the first process speaks

    for name, size in (("sixteen", 16), ("eight", 8)):
        run_training(read_config(settings, {"out": str(tmp_path / name), "batch_size": size}))
    two, sixteen, eight = (tmp_path / name for name in ("two", "sixteen", "eight"))
    report = json.loads((two / "checkpoints" / "training.json").read_text())
    assert (report["processes"], report["batch"], report["steps"], report["pairs"]) == (2, 16, 4, len(records))
    assert logged(two, "loss") == pytest.approx(logged(sixteen, "loss"), abs=1e-3)
    assert logged(two, "eval_loss") == pytest.approx(logged(sixteen, "eval_loss"), abs=1e-3)
    assert logged(eight, "loss") != pytest.approx(logged(sixteen, "loss"), abs=1e-2)
    weights = {folder: load_file(folder / "model.safetensors") for folder in (two, sixteen, eight)}

    def distance(one: Path, other: Path) -> float:
        return max(float((weights[one][name] - weights[other][name]).abs().max()) for name in weights[one])

    assert distance(two, sixteen) < 1e-3 < 3e-3 < distance(eight, sixteen)
    assert "| steps | 4 of 16 pairs" in (two / "README.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in (two / "checkpoints").iterdir()) == [
        "checkpoint-2",
        "checkpoint-4",
        "training.json",
    ]
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    ("name", "section"), [("ddp", None), ("fsdp", "fsdp_config"), ("deepspeed", "deepspeed_config")]
)
def test_accelerate_reads_the_configurations(name: str, section: str | None) -> None:
    config = load_config_from_file(str(FILES[name]))
    assert str(config.distributed_type.value) == {"ddp": "MULTI_GPU", "fsdp": "FSDP", "deepspeed": "DEEPSPEED"}[name]
    assert config.num_processes == 2
    if section is not None:
        options = {action.dest for action in launch_command_parser()._actions}
        assert set(getattr(config, section)) <= options  # accelerate passes over what it does not know


def test_the_path_of_a_configuration_is_printed() -> None:
    command = [sys.executable, "-m", "llmstep.training.launch"]
    shown = subprocess.run([*command, "fsdp"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"{FILES['fsdp']}\n"
    refused = subprocess.run([*command, "slurm"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert all(name in refused.stderr for name in ("slurm", "ddp", "deepspeed", "fsdp"))
