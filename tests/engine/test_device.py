"""Choices of device, format and threads, and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest
import torch

from llmstep.engine import device
from llmstep.engine.device import Placement, choose_device, choose_dtype, container_free_bytes, cpu_threads, place
from llmstep.errors import SettingsError
from llmstep.progress import Progress, format_bytes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("wanted", "cuda", "mps", "chosen"),
    [
        ("auto", False, False, "cpu"),
        ("auto", True, False, "cuda"),
        ("auto", False, True, "mps"),
        ("auto", True, True, "cuda"),
        ("cpu", True, True, "cpu"),
        ("cuda", True, False, "cuda"),
        ("mps", False, True, "mps"),
    ],
)
def test_the_device(wanted: device.Device, cuda: bool, mps: bool, chosen: str) -> None:
    assert choose_device(wanted, cuda=cuda, mps=mps) == chosen


@pytest.mark.parametrize(("wanted", "name"), [("cuda", "no CUDA device"), ("mps", "no MPS (Apple) device")])
def test_a_device_that_is_not_there(wanted: device.Device, name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        choose_device(wanted, cuda=False, mps=False)
    assert caught.value.message.startswith(f"The setting llmstep.device is {wanted}, but torch ")
    assert caught.value.message.endswith(f"{name}.")
    assert "auto or cpu" in caught.value.hint


@pytest.mark.parametrize(
    ("wanted", "where", "capability", "chosen"),
    [
        ("auto", "cpu", (0, 0), "float32"),
        ("auto", "cuda", (7, 5), "float16"),
        ("auto", "cuda", (8, 0), "bfloat16"),
        ("auto", "cuda", (9, 0), "bfloat16"),
        ("auto", "mps", (0, 0), "float16"),
        ("bfloat16", "cpu", (0, 0), "bfloat16"),
        ("float32", "cuda", (9, 0), "float32"),
    ],
)
def test_the_number_format(wanted: device.Dtype, where: str, capability: tuple[int, int], chosen: str) -> None:
    assert choose_dtype(wanted, where, capability) == chosen


def test_few_bits_are_not_for_every_device(monkeypatch: pytest.MonkeyPatch) -> None:
    placement = device.place("cpu", "int8")
    assert placement.dtype == "int8"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    for few in ("int8", "int4"):
        with pytest.raises(SettingsError, match=f"{few}, which is for CPUs, and the device is mps"):
            device.place("mps", few)


def test_on_this_machine() -> None:
    assert place("cpu", "auto") == Placement("cpu", "float32")
    assert place("cpu", "bfloat16").dtype == "bfloat16"
    assert place("auto", "auto").device == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("wanted", "parameters", "cores", "threads"),
    [
        (0, 10**9, 1, 1),
        (0, 10**9, 2, 2),
        (0, 10**9, 3, 2),
        (0, 10**9, 16, 15),
        (0, 5_000_000, 16, 1),
        (6, 10**9, 2, 6),
        (6, 5_000_000, 2, 6),
    ],
)
def test_threads(wanted: int, parameters: int, cores: int, threads: int) -> None:
    assert cpu_threads(wanted, parameters, cores) == threads


def test_threads_of_this_machine() -> None:
    assert 1 <= cpu_threads(0, 10**9) <= (psutil.cpu_count() or 1)


def test_free_memory_is_less_than_there_is() -> None:
    assert 0 < device.free_bytes("cpu") <= psutil.virtual_memory().total


def test_a_container_has_less(tmp_path: Path) -> None:
    assert container_free_bytes(tmp_path) is None
    (tmp_path / "memory.max").write_text("max\n")
    assert container_free_bytes(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 100\nactive_file 50\n")
    assert container_free_bytes(tmp_path) == 450
    (tmp_path / "memory.current").write_text("2000\n")
    assert container_free_bytes(tmp_path) == 0
    (tmp_path / "memory.stat").write_text("not what it should be")
    assert container_free_bytes(tmp_path) is None


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (310_400_000, "310 MB"),
        (999_600_000, "1.0 GB"),
        (1_440_000_000, "1.4 GB"),
        (2.5e13, "25.0 TB"),
    ],
)
def test_bytes_as_text(count: float, text: str) -> None:
    assert format_bytes(count) == text


def test_percent() -> None:
    assert Progress("download", "x", 1, 3).percent == 33
    assert Progress("download", "x", 3, 3).percent == 100
    assert Progress("load", "x").percent is None
