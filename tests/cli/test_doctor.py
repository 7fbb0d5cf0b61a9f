"""`llmstep doctor`: what it finds of Lean, projects, packages and models."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from typing import TYPE_CHECKING

import psutil
import pytest
from output_schema import checked

from llmstep import __version__
from llmstep.configuration import Layer
from llmstep.doctor import examine, machine, models
from llmstep.doctor import lean as doctor_lean
from llmstep.doctor.lean import project
from llmstep.settings import LeanSettings, Settings
from llmstep.wire.state import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run

TOPICS = ["llmstep", "libraries", "settings", "device", "memory", "Lean", "project"]

TOPICS += ["engine", "models", "recommended", "cache", "port", "running", "agents"]


@pytest.mark.lean
def test_this_machine_is_usable(llmstep: Run, lean: Path, tmp_path: Path) -> None:
    (tmp_path / "lean-toolchain").write_text("leanprover/lean4:v4.35.0\n")
    (tmp_path / "A.lean").touch()
    ended = llmstep("doctor", str(tmp_path / "A.lean"), "--lean", str(lean), "--model", "starter", "--json")
    assert (ended.status, ended.err) == (0, "")
    answer = checked("doctor", ended.out)
    assert list(answer) == ["usable", "findings"]
    assert answer["usable"] is True
    found = {each["topic"]: each for each in answer["findings"]}
    assert list(found) == TOPICS
    for each in found.values():
        assert list(each) == ["topic", "grade", "text", "advice", "details"]
        assert each["grade"] in ("ok", "note")
        assert bool(each["advice"]) is (each["grade"] == "note")
    assert found["llmstep"]["details"]["llmstep"] == __version__
    assert found["llmstep"]["details"]["executable"] == sys.executable
    assert found["device"]["details"]["torch"].startswith(found["libraries"]["details"]["torch"].partition("+")[0])
    assert found["memory"]["details"]["total_bytes"] == psutil.virtual_memory().total
    looked_at = found["Lean"]["details"]
    assert (looked_at["project"], looked_at["lake"]) == (str(tmp_path), False)
    assert looked_at["toolchain"] == "leanprover/lean4:v4.35.0"
    assert looked_at["command"][:2] == [str(lean), "--server"]
    assert "version 4." in looked_at["version"]
    assert found["models"]["details"]["chosen"] == "starter"
    assert found["recommended"]["details"]["model"] in found["recommended"]["text"]
    assert found["models"]["details"]["here"]["starter"] > 1_000_000
    assert found["cache"]["details"]["environment"]["HF_HUB_OFFLINE"] == os.environ["HF_HUB_OFFLINE"]


def test_a_machine_without_lean_is_not(llmstep: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for reading, the slow look at torch left out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "device", lambda: Finding("device", "ok", "cpu", "", {}))
    ended = llmstep("doctor", PATH=str(tmp_path), ELAN_HOME=str(tmp_path))
    assert (ended.status, ended.err) == (1, "")
    lines = ended.out.splitlines()
    missing = next(number for number, line in enumerate(lines) if line.startswith("missing "))
    assert lines[missing].startswith("missing Lean: The program lean was found neither on the PATH nor in")
    assert lines[missing].endswith(f"(folder without a Lake project {tmp_path})")
    assert lines[missing + 1].startswith("        -> Install Lean with elan (https://lean-lang.org/install)")
    assert [line[8:].partition(":")[0] for line in lines if line[:8].strip() in ("ok", "note", "missing")] == TOPICS
    assert lines[-1] == "llmstep is not usable: see Lean; `llmstep serve` works without it."


def program(folder: Path, script: str, name: str = "lean") -> Path:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def look(file: Path, place: Path) -> Finding:
    return doctor_lean.lean(Settings(lean=LeanSettings(command=(str(file), "--server"))), place)


def test_lean_that_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = program(tmp_path, "echo no toolchain installed >&2; exit 3")
    finding = look(failing, tmp_path)
    assert finding.grade == "missing"
    assert f"{failing} --version ended with status 3 and said no toolchain installed" in finding.text
    assert finding.advice == f"Run `{failing} --version` in {tmp_path} and correct what it says."
    assert look(program(tmp_path, "exit 0"), tmp_path).grade == "missing"
    monkeypatch.setattr(doctor_lean, "SECONDS_FOR_LEAN", 0.2)
    assert "did not say its version within 0.2 s" in look(program(tmp_path, "exec sleep 60"), tmp_path).text
    nothing = tmp_path / "lean"
    nothing.write_bytes(b"\x7fELF is not what this is")
    assert "cannot be started: Exec format error" in look(nothing, tmp_path).text
    nothing.unlink()
    assert look(nothing, tmp_path).text.startswith(f"The program {nothing} of the setting llmstep.lean.command was not")


def test_the_lean_of_a_lake_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--version` is asked in the project's folder, since elan chooses the toolchain by it."""
    lake = program(tmp_path, 'echo "Lake version 5.0.0 (Lean version 4.35.0) in $(pwd)"', "lake")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    project = tmp_path / "project"
    (project / "Sub").mkdir(parents=True)
    (project / "lakefile.toml").touch()
    (project / "lean-toolchain").write_text("leanprover/lean4:v4.30.0\n")
    finding = doctor_lean.lean(Settings(), project / "Sub" / "New.lean")
    assert finding.grade == "ok"
    version = f"Lake version 5.0.0 (Lean version 4.35.0) in {project}"
    assert finding.text.startswith(f"{version}; Lake project {project}, toolchain leanprover/lean4:v4.30.0; server: ")
    assert finding.details["command"][:3] == [str(lake), "serve", "--"]


def test_a_project_and_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is run: a look at `--version` would download the toolchain."""
    file = tmp_path / "A.lean"
    file.write_text("import Mathlib.Logic.Basic\nimport Own.Part\nimport Lean\n\nexample : True := trivial\n")
    (tmp_path / "lakefile.toml").touch()
    (tmp_path / "lean-toolchain").write_text("leanprover/lean4:v4.27.0\n")
    (tmp_path / "lake-manifest.json").write_text('{"packages": [{"name": "mathlib", "type": "git"}]}')
    bin_folder, toolchains = tmp_path / "elan" / "bin", tmp_path / "elan" / "toolchains"
    for folder in (bin_folder, toolchains):
        folder.mkdir(parents=True)
    (bin_folder / "lake").write_text("#!/bin/sh\ntouch ran\necho 'Lake version 5 (Lean version 4.27.0)'\n")
    (bin_folder / "lake").chmod(0o755)
    monkeypatch.setenv("ELAN_HOME", str(tmp_path / "elan"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    found = doctor_lean.lean(Settings(), file)
    assert (found.grade, found.details["installed"]) == ("note", False)
    assert found.advice == "Run: elan toolchain install leanprover/lean4:v4.27.0"
    assert not (tmp_path / "ran").exists()
    (toolchains / "leanprover--lean4---v4.27.0").mkdir()
    assert doctor_lean.lean(Settings(), file).details["version"] == "Lake version 5 (Lean version 4.27.0)"

    look = project_of(file)
    assert (look.grade, look.details["absent"]) == ("note", ["mathlib"])
    assert "not fetched: mathlib" in look.text
    library = tmp_path / ".lake/packages/mathlib/.lake/build/lib/lean/Mathlib/Logic"
    library.mkdir(parents=True)
    look = project_of(file)
    assert look.details["unbuilt"] == ["Mathlib.Logic.Basic", "Own.Part"]
    assert "lake build Mathlib.Logic.Basic Own.Part" in look.advice
    (library / "Basic.olean").touch()
    (tmp_path / ".lake/build/lib/lean/Own").mkdir(parents=True)
    (tmp_path / ".lake/build/lib/lean/Own/Part.olean").touch()
    look = project_of(file)
    assert (look.grade, look.text) == ("ok", f"1 packages in {tmp_path}; 3 imports, all built")


def test_a_file_outside_of_a_project_that_imports_something(tmp_path: Path) -> None:
    file = tmp_path / "A.lean"
    file.write_text("import Lean\nimport Mathlib.Order\n")
    look = project_of(file)
    assert (look.grade, look.text) == ("note", f"{tmp_path} has no lakefile, and the file imports Mathlib.Order")
    assert look.advice == "Move the file into the project that has them."
    file.write_text("import Lean\n")
    assert project_of(file).grade == "ok"


def project_of(file: Path) -> Finding:
    return project(Settings(), file)


def test_libraries_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.metadata.version

    def version(name: str) -> str:
        if name == "pygls":
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    finding = machine.libraries()
    assert finding.grade == "missing"
    assert finding.text.endswith(", pygls not installed")
    assert finding.advice == f"Run: {sys.executable} -m pip install pygls"


def torch_is(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a torch in front of the real one that does this when it is imported."""
    (folder / "torch.py").write_text(script)
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("raise ImportError('libcudart.so.13: cannot open')", "ImportError: libcudart.so.13: cannot open"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "exit status -4"),
    ],
)
def test_torch_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, text: str) -> None:
    torch_is(script, tmp_path, monkeypatch)
    finding = machine.device()
    assert (finding.grade, finding.text) == ("missing", f"torch cannot be imported: {text}")
    assert "https://pytorch.org" in finding.advice


def test_torch_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch_is("import time; time.sleep(60)", tmp_path, monkeypatch)
    monkeypatch.setattr(machine, "SECONDS_FOR_TORCH", 0.2)
    assert machine.device().text == "torch was not imported within 0.2 s"


def test_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    now = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: now._replace(available=900_000_000, total=4_000_000_000))
    finding = machine.memory()
    assert (finding.grade, finding.text) == ("note", "900 MB free of 4.0 GB")
    assert finding.advice


@pytest.mark.parametrize(
    ("model", "offline", "grade", "part", "advice"),
    [
        ("starter", True, "ok", "used: starter", ""),
        ("startr", False, "missing", "There is no model 'startr' in the catalog", "Did you mean starter?"),
        ("byt5-small", True, "missing", "used: byt5-small, which is not on this machine", "Unset HF_HUB_OFFLINE"),
        (
            "byt5-small",
            False,
            "note",
            "used: byt5-small, which is not on this machine yet",
            "llmstep models download byt5-small",
        ),
    ],
)
def test_models(monkeypatch: pytest.MonkeyPatch, model: str, offline: bool, grade: str, part: str, advice: str) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    finding = models.models(Settings(model=model))
    assert finding.grade == grade
    assert part in finding.text
    assert advice in finding.advice
    assert bool(finding.advice) is bool(advice)


def test_a_gguf_file_is_the_model_that_is_used(tmp_path: Path) -> None:
    file = tmp_path / "bfs-prover.gguf"
    file.write_bytes(b"GGUF")
    finding = models.models(Settings(model=str(file)))
    assert (finding.grade, finding.details["chosen"]) == ("ok", str(file))


def test_the_starter_is_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("llmstep.catalog.store.STARTER_DIR", tmp_path)
    finding = models.models(Settings(model="starter"))
    assert (finding.grade, finding.text) == ("missing", "here: none; used: starter")
    assert "install llmstep again" in finding.advice


def test_one_look_that_fails_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken() -> Finding:
        raise RuntimeError("no /proc here")

    monkeypatch.setattr(machine, "memory", broken)
    monkeypatch.setattr(machine, "device", lambda: Finding("device", "ok", "cpu", "", {}))
    findings = {each.topic: each for each in examine.examine(Layer({"model": "starter"}), tmp_path)}
    assert list(findings) == TOPICS
    assert findings["memory"].grade == "note"
    assert findings["memory"].text == "cannot be examined: RuntimeError: no /proc here"
