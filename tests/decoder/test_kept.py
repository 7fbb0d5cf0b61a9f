"""What is kept on the disk: packed weights and compiled code, made anew where it is damaged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prompts import NAMES, NEW, text
from results import log_probabilities

import llmstep.decoder as face
from llmstep.decoder import load
from llmstep.decoder.compiled import compiler, ready


@pytest.mark.parametrize("kind", ["int8", "int4"])
@pytest.mark.parametrize("name", NAMES)
def test_packed_is_the_same(name: str, kind: Any, folder_of: Any, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    first: Any = load(folder_of(name), quantization=kind, cache=tmp_path, progress=lambda *each: told.append(each))
    [file] = tmp_path.iterdir()
    assert told[-1] == ("Reading weights", 1.0)
    from safetensors import safe_open

    with safe_open(file, "np") as opened:
        assert opened.get_tensor("scales.head").dtype == np.float32
    second: Any = load(folder_of(name), quantization=kind, cache=tmp_path)
    one, other = (log_probabilities(each, text(12), NEW) for each in (first, second))
    assert np.array_equal(one, other)


@pytest.mark.parametrize("damage", [b"", b"\0" * 400, b"cut", b"header"])
def test_a_damaged_packed_file_is_made_anew(folder_of: Any, tmp_path: Path, damage: bytes) -> None:
    load(folder_of("neox"), quantization="int8", cache=tmp_path)
    [file] = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes({b"cut": whole[:-100], b"header": whole[:9] + b"x" + whole[10:]}.get(damage, damage))
    load(folder_of("neox"), quantization="int8", cache=tmp_path)
    assert file.read_bytes() == whole


def test_where_nothing_can_be_kept(folder_of: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert load(folder_of("neox"), quantization="int8", cache=tmp_path / "file" / "below").quantization == "int8"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that code was compiled into, by something that takes no time."""
    made: list[Path] = []

    def popen(command: Any, env: dict[str, str], **_: Any) -> Any:
        place = Path(env[compiler.PLACE])
        (place / "code.nbi").write_bytes(b"code")
        ready.seal(place)
        made.append(place)
        return subprocess.Popen([sys.executable, "-c", ""])

    class Opener:
        Popen = staticmethod(popen)
        DEVNULL = subprocess.DEVNULL

    monkeypatch.setattr(ready, "compile_now", lambda: None)
    monkeypatch.setattr(ready, "subprocess", Opener)
    return made


def test_damaged_code_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: list[Path]) -> None:
    """Whatever file is changed; and the code of one that was compiled elsewhere is put in place whole."""
    cache = tmp_path / "cache"
    cache.mkdir()
    told: list[float] = []
    for number, damage in enumerate((None, b"", b"cod3", None)):
        if damage is not None:
            (cache / "code" / "code.nbi").write_bytes(damage)
        way = tmp_path / f"way{number}"  # by another path, since what a process has found whole is not looked at again
        way.symlink_to(cache)
        monkeypatch.setattr(ready, "folder", lambda way=way: way / "code")
        ready.ready(lambda what, share: told.append(share))
        assert (cache / "code" / "code.nbi").read_bytes() == b"code"
    assert len(built) == 3
    assert told
    assert all(0 <= share < 1 for share in told)
    assert [path.name for path in cache.iterdir()] == ["code"]


def test_code_of_other_versions_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: list[Path]) -> None:
    """That of this installation and of earlier releases, and what was never finished; nothing else."""
    now = compiler.folder().name
    one, other = now.partition("-")[0], "1" * 8
    place = tmp_path / f"{one}-{'a' * 16}"
    old = [now, f"{one}-{'b' * 16}", "c" * 16, f"{one}-{'d' * 16}.7"]
    kept = [f"{other}-{'a' * 16}", f"{one}-{'e' * 16}.8", "notes", "thesis-2024"]
    for name in (*old, *kept):
        (tmp_path / name / "below").mkdir(parents=True)
    os.utime(tmp_path / old[3], (1, 1))
    monkeypatch.setattr(ready, "folder", lambda: place)
    monkeypatch.delenv(compiler.PLACE, raising=False)
    ready.ready()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([place.name, *kept])


def test_what_is_compiled_ahead(folder_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr(ready, "ready", made.append)
    face.prepare(folder=folder_of("neox"))
    face.prepare(folder=tmp_path)
    assert made == []
    face.prepare(folder=folder_of("byt5"))
    face.prepare()
    assert len(made) == 2
