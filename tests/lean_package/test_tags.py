"""The package for older toolchains: what differs, as text, and that the result compiles on the Lean of the tests."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tag_lean_package as tags
from compiled_package import environment

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "tag_lean_package.py"
SOURCES = tags.files((4, 27), "v4.27.0")


def made(tag: str) -> dict[str, str]:
    return dict(tags.files(tags.version_of(tag), tag))


def test_the_floor_stands_in_the_repository() -> None:
    """`lake update` takes the newest toolchain of a project's dependencies: a newer one would raise the user's."""
    assert (ROOT / "lean-toolchain").read_text("utf-8") == "leanprover/lean4:v4.27.0\n"
    assert made("v4.27.0")["lean-toolchain"] == "leanprover/lean4:v4.27.0\n"


@pytest.mark.parametrize("tag", ["v4.27.0", "v4.31.0-rc2", "v4.35.0"])
def test_newer_toolchains_differ_in_the_toolchain_alone(tag: str) -> None:
    assert made(tag) == {**SOURCES, "lean-toolchain": f"leanprover/lean4:{tag}\n"}


@pytest.mark.parametrize(
    ("tag", "gone"),
    [
        ("v4.26.0", {"LLMstepTest/InAModule"}),
        ("v4.20.0", {"LLMstepTest/InAModule", "LLMstep/Try"}),
        ("v4.19.0", {"LLMstepTest/InAModule", "LLMstep/Try", "LLMstep/Rpc"}),
        ("v4.12.0", {"LLMstepTest/InAModule", "LLMstep/Try", "LLMstep/Rpc"}),
    ],
)
def test_what_differs_for_older_toolchains(tag: str, gone: set[str]) -> None:
    files = made(tag)
    assert set(SOURCES) - set(files) == {f"lean/{name}.lean" for name in gone}
    assert files["lean-toolchain"] == f"leanprover/lean4:{tag}\n"
    imports_gone = {f"import {name.replace('/', '.')}" for name in gone}
    for name, text in files.items():
        if not name.endswith(".lean"):
            assert name == "lean-toolchain" or text == SOURCES[name]
            continue
        before = [line for line in SOURCES[name].split("\n") if line.removeprefix("public meta ") not in imports_gone]
        for old, new in zip(before, text.split("\n"), strict=True):
            if old != new:
                header = old == "module" or old.startswith("public meta ")
                assert header or re.sub(r"trimAscii(End|Start)?", "", old) == re.sub(r"trim(Right|Left)?", "", new)
        assert "trimAscii" not in text
        assert "public meta" not in text
        assert not re.search(r"^module$", text, re.MULTILINE)


@pytest.mark.parametrize("tag", ["4.20.0", "v4.11.0", "nightly-2026-01-01", "v4.20", "v4.20.0; rm"])
def test_what_is_no_toolchain_of_it(tag: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), tag, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.lean
def test_the_package_of_v4_12_compiles(lean: Path, tmp_path: Path) -> None:
    """On the Lean of the tests, which lacks the functions that older ones had: they are put in front."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "v4.12.0", "--out", str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "files in" in done.stdout
    folder = tmp_path / "lean"
    (folder / "Old.lean").write_text(
        "import Lean\n"
        "def String.trim (s : String) : String := toString s.trimAscii\n"
        "def String.trimRight (s : String) : String := toString s.trimAsciiEnd\n",
        encoding="utf-8",
    )
    options = folder / "LLMstep" / "Options.lean"
    options.write_text(options.read_text("utf-8").replace("import Lean\n", "import Lean\nimport Old\n", 1), "utf-8")
    for module in ("Old", "LLMstep/Options", "LLMstep/Client", "LLMstep/Check", "LLMstep/Tactic", "LLMstep"):
        command = [str(lean), "-DautoImplicit=false", "-R", ".", "-o", f"{module}.olean", f"{module}.lean"]
        done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), module


def test_a_tag(tmp_path: Path) -> None:
    """A commit of its own; the working tree stays as it is."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True)
        return done.stdout.strip()

    tags.write({**SOURCES, "README.md": "All else stays.\n"}, tmp_path)
    git("init", "-q")
    for name, value in (("user.name", "A"), ("user.email", "a@b.c")):
        git("config", name, value)
    git("add", ".")
    git("commit", "-qm", "first")
    tags.make_tag(made("v4.20.0"), tags.left_out((4, 20)), "v4.20.0", tmp_path)
    assert git("status", "--porcelain") == ""
    assert git("show", "v4.20.0:lean-toolchain") == "leanprover/lean4:v4.20.0"
    assert git("show", "v4.20.0:README.md") == "All else stays."
    listed = git("ls-tree", "-r", "--name-only", "v4.20.0").splitlines()
    assert "lean/LLMstep/Rpc.lean" in listed
    assert "lean/LLMstep/Try.lean" not in listed
    assert git("rev-parse", "v4.20.0^") == git("rev-parse", "HEAD")


@pytest.mark.lean
def test_beside_another_llmstep(lean: Path, package: Path, package_environment: Any, tmp_path: Path) -> None:
    """llmlean has a tactic of this name; `llmstep?` is always this package's."""
    file = tmp_path / "Both.lean"
    file.write_text(
        'import LLMstep\nopen Lean Elab Tactic\nsyntax (name := other) "llmstep" str : tactic\n'
        '@[tactic other] def evalOther : Tactic := fun stx => logInfoAt stx "the other"\n'
        'example : True := by\n  llmstep "x"\n  llmstep? "x"\n  llmstep?\n  trivial\n',
        encoding="utf-8",
    )
    done = subprocess.run(
        [str(lean), str(file)], cwd=tmp_path, env=package_environment, capture_output=True, text=True, check=False
    )
    lines = [re.sub(r"^.*?:(\d+:\d+: \w+: .*)", r"\1", line) for line in done.stdout.splitlines()]
    mine = "warning: llmstep does nothing outside an editor: replace it with a step of the proof."
    assert (lines[0].rpartition(": ")[2], lines[1:]) == ("the other", [f"7:2: {mine}", f"8:2: {mine}"])
