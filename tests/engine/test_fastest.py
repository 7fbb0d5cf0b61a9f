"""The format that is fastest on this machine: measured once, remembered, and used where the architecture can."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import pytest

from llmstep.catalog.resolve import resolve
from llmstep.decoder import footprint
from llmstep.engine import fastest
from llmstep.engine.device import Placement, place
from llmstep.engine.prepare import prepare
from llmstep.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(fastest.platformdirs, "user_cache_path", lambda _: tmp_path / "cache")
    return tmp_path / "cache"


def measured(monkeypatch: pytest.MonkeyPatch, **times: float) -> list[int]:
    """Has these times measured; counts how often."""
    calls: list[int] = []

    def measure() -> dict[str, float]:
        calls.append(1)
        return times

    monkeypatch.setattr(fastest, "measure", measure)
    return calls


def test_the_times_of_this_machine() -> None:
    times = fastest.measure()
    assert "float32" in times
    assert all(0 < seconds < 1 for seconds in times.values())


@pytest.mark.parametrize(
    ("times", "best"),
    [
        ({"float32": 4.0, "bfloat16": 2.0}, "bfloat16"),
        ({"float32": 4.0, "bfloat16": 3.9}, "float32"),  # hardly faster is not worth the rounding
        ({"float32": 4.0, "bfloat16": 30.0}, "float32"),
        ({"float32": 4.0}, "float32"),
    ],
)
def test_the_fastest_is_taken(monkeypatch: pytest.MonkeyPatch, times: dict[str, float], best: str) -> None:
    measured(monkeypatch, **times)
    assert place("cpu", "fast") == Placement("cpu", best)
    assert place("cpu", "auto") == Placement("cpu", "float32")


def test_it_is_measured_once_a_machine(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    calls = measured(monkeypatch, float32=4.0, bfloat16=1.0)
    assert [fastest.fastest(), fastest.fastest()] == ["bfloat16", "bfloat16"]
    assert fastest.fastest(("float32",)) == "float32"
    assert len(calls) == 1
    [times] = json.loads((cache / "formats.json").read_text()).values()
    assert times == {"float32": 4.0, "bfloat16": 1.0}

    monkeypatch.setattr(fastest, "_machine", lambda: "another")
    fastest.fastest()
    assert len(calls) == 2


@pytest.mark.parametrize("damage", ["", "[]", '{"x": 1', '{"here": {"bfloat16": 1}}'])
def test_what_cannot_be_read_is_measured_anew(monkeypatch: pytest.MonkeyPatch, cache: Path, damage: str) -> None:
    calls = measured(monkeypatch, float32=1.0)
    monkeypatch.setattr(fastest, "_machine", lambda: "here")
    cache.mkdir()
    (cache / "formats.json").write_text(damage)
    assert fastest.fastest() == "float32"
    assert len(calls) == 1


@pytest.mark.parametrize(("name", "dtype"), [("neox", "float32"), ("byt5", "float32"), ("bart", "bfloat16")])
def test_what_the_decoder_cannot_run_gets_the_fastest_of_torch(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, dtype: str
) -> None:
    from architectures import make
    from tiny_models import saved

    measured(monkeypatch, float32=4.0, bfloat16=2.0)
    folder = tiny_models[name] if name in tiny_models else saved(make(name), tmp_path / name)
    template = "pythia" if name == "neox" else "byt5-state"
    settings = attrs.evolve(Settings(), model=str(folder), template=template, device="cpu", dtype="fast")
    plan = prepare(settings, resolve(settings), None, lambda _: None, lambda: False)
    assert (plan.placement, plan.needs_torch) == (Placement("cpu", dtype), name == "bart")


def test_auto_is_int8_for_what_is_not_small(tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Small models stay in float32, and formats that are named are taken as they are."""
    folder = tiny_models["neox"]

    def dtype(wanted: str) -> str:
        settings = attrs.evolve(Settings(), model=str(folder), template="pythia", device="cpu", dtype=wanted)
        return prepare(settings, resolve(settings), None, lambda _: None, lambda: False).placement.dtype

    assert [dtype(each) for each in ("auto", "int8", "int4", "float32")] == ["float32", "int8", "int4", "float32"]
    monkeypatch.setattr(footprint, "SMALL", 1000)
    assert [dtype(each) for each in ("auto", "fast", "float32")] == ["int8", "int8", "float32"]
