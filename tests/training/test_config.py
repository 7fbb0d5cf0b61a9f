"""Training settings from files and flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmstep.errors import SettingsError
from llmstep.training.config import read_config

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, text: str) -> Path:
    file = folder / "train.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_flags_win_over_the_file_and_absent_flags_do_not(tmp_path: Path) -> None:
    file = write(tmp_path, 'train = "a.jsonl"\nbatch-size = 8\nepochs = 2\n')
    config = read_config(file, {"batch_size": 4, "epochs": None, "out": "model"})
    assert (config.train, config.batch_size, config.epochs, config.out) == ("a.jsonl", 4, 2.0, "model")


@pytest.mark.parametrize(
    ("text", "named", "hint"),
    [
        ("lerning_rate = 1e-3", "`lerning_rate`", "`learning_rate`"),
        ("batch_size = 2.5", "`batch_size` must be a whole number", "2.5"),
        ("seed = true", "`seed` must be a whole number", "True"),
        ('epochs = "3"', "`epochs` must be a number", "'3'"),
        ("epochs =", "is no valid TOML", "line"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, text: str, named: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_config(write(tmp_path, text), {})
    assert named in caught.value.message
    assert hint in caught.value.hint


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml cannot be read"):
        read_config(tmp_path / "none.toml", {})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"out": "x", "base": "b"}, "needs `train`"),
        ({"train": "t", "base": "b"}, "needs `out`"),
        ({"train": "t", "out": "x"}, "needs `base`"),
        ({"train": "t", "out": "x", "base": "b", "batch_size": 0}, "`batch_size` must be a whole number from 1"),
        (
            {"train": "t", "out": "x", "base": "b", "lora": True, "lora_rank": 0},
            "`lora_rank` must be a whole number from 1",
        ),
        ({"train": "t", "out": "x", "base": "b", "precision": "int8"}, "`precision` must be one of auto, bf16"),
        ({"train": "t", "out": "x", "base": "b", "merge": True}, "no adapter to merge"),
    ],
)
def test_what_does_not_fit_together_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_config(None, values).checked()
