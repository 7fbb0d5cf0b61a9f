"""The project of a file, and the command that starts Lean there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from llmstep.errors import LeanNotFoundError
from llmstep.lean.imports import imports_of
from llmstep.lean.project import (
    Project,
    existing,
    find_program,
    find_project,
    packages_of,
    pinned_toolchain,
    server_command,
    takes_variables_by_proof,
    version_of,
    working_folder,
)
from llmstep.settings import CheckSettings, LeanSettings

CHECK = CheckSettings(max_heartbeats=1234)
OPTIONS = ("-Dserver.reportDelayMs=7", "-Dlinter.all=false", "-Dlinter.deprecated=true", "-DmaxHeartbeats=1234")


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("", encoding="utf-8")
    return path


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("files", "file", "root", "lake"),
    [
        (["lakefile.lean"], "A.lean", ".", True),
        (["lakefile.toml"], "Sub/Deep/A.lean", ".", True),
        (["lakefile.toml", "lean-toolchain"], "Sub/A.lean", ".", True),
        (["lean-toolchain"], "Sub/A.lean", ".", False),
        ([], "Sub/A.lean", "Sub", False),
        (["lakefile.toml", "Sub/lakefile.lean"], "Sub/A.lean", "Sub", True),
        (["lakefile.toml", "Sub/lean-toolchain"], "Sub/A.lean", "Sub", False),
        (["Sub/lakefile.lean"], "A.lean", ".", False),
        # a dependency belongs to the project that fetched it
        (["lakefile.toml", ".lake/packages/mathlib/lakefile.lean"], ".lake/packages/mathlib/M/A.lean", ".", True),
        ([".lake/packages/mathlib/lakefile.lean"], ".lake/packages/mathlib/M/A.lean", ".lake/packages/mathlib", True),
    ],
)
def test_root(tmp_path: Path, files: list[str], file: str, root: str, lake: bool) -> None:
    for name in files:
        touch(tmp_path / name)
    path = touch(tmp_path / file)
    assert find_project(path) == Project(tmp_path / root, lake)


def test_root_of_a_file_that_was_never_saved_and_of_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "lakefile.toml")
    assert find_project(tmp_path / "no" / "such" / "New.lean") == Project(tmp_path, lake=True)
    assert find_project(tmp_path) == Project(tmp_path, lake=True)


@pytest.mark.parametrize(
    ("manifest", "root"),
    [
        ('{"packagesDir": "deps", "packages": [{"name": "mathlib"}]}', "."),
        ('\ufeff{"packagesDir": "./deps/"}', "."),
        ('{"packagesDir": ".lake/packages"}', "deps/mathlib"),
        ('{"packagesDir": "."}', "deps/mathlib"),
        ('{"packagesDir": 7}', "deps/mathlib"),
        ('["deps"]', "deps/mathlib"),
        ('{"packagesDir": "deps"', "deps/mathlib"),
        ("[" * 100_000, "deps/mathlib"),
    ],
)
def test_the_folder_of_packages_that_a_manifest_names(tmp_path: Path, manifest: str, root: str) -> None:
    """What was fetched belongs to the project that fetched it: Lake would fetch its packages once more below it."""
    folder = tmp_path / "my projects é"
    touch(folder / "lakefile.toml")
    touch(folder / "deps" / "mathlib" / "lakefile.lean")
    (folder / "lake-manifest.json").write_text(manifest, encoding="utf-8")
    assert find_project(folder / "deps" / "mathlib" / "M" / "A.lean") == Project(folder / root, lake=True)
    assert find_project(folder / "Sub" / "A.lean") == Project(folder, lake=True)


def test_where_packages_are(tmp_path: Path) -> None:
    listed = [{"name": "«a-b»"}, {"name": "own", "type": "path", "dir": "../own"}, {"name": "old", "type": "git"}, "x"]
    manifest = tmp_path / "lake-manifest.json"
    manifest.write_text(json.dumps({"packages": listed}), encoding="utf-8")
    (tmp_path / ".lake" / "packages").mkdir(parents=True)
    fetched = tmp_path / ".lake" / "packages"
    assert packages_of(tmp_path) == {"a-b": fetched / "a-b", "own": tmp_path / "../own", "old": fetched / "old"}
    manifest.write_text('{"packages": {"name": "x"}}', encoding="utf-8")
    assert packages_of(tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("import A", ["A"]),
        ("\ufeffimport A.B\r\nimport C\r\n", ["A.B", "C"]),
        ("module\n\npublic import A\npublic meta import all B\n", ["A", "B"]),
        (
            "/- import X -/ import A -- import Y\nimport B import C\n\n/-! import Z -/\ndef import' := 1",
            ["A", "B", "C"],
        ),
        ("module prelude\nimport A", ["A"]),
        ("module public import A import B\nimport C", ["A", "B", "C"]),
        ("import «My Mod».«b c» -- d\n", ["My Mod.b c"]),
        ("prelude\nimport A\nopen B\nimport C", ["A"]),
        ("theorem t : True := trivial\nimport A", []),
    ],
)
def test_the_imports_of_a_text(text: str, modules: list[str]) -> None:
    assert imports_of(text) == modules


@pytest.mark.parametrize(
    ("written", "toolchain", "version", "by_proof"),
    [
        ("leanprover/lean4:v4.27.0\r\n", "leanprover/lean4:v4.27.0", (4, 27), False),
        ("\ufeffleanprover/lean4:v4.9.0-rc1\n\n", "leanprover/lean4:v4.9.0-rc1", (4, 9), True),
        ("v4.30.0", "v4.30.0", (4, 30), False),
        ("4.11.0 \t\n# of the course\n", "4.11.0", (4, 11), True),
        ("leanprover/lean4:nightly-2024-08-30\n-- since August\n", "leanprover/lean4:nightly-2024-08-30", None, True),
        ("leanprover/lean4:nightly-2026-08-30-rev1\n", "leanprover/lean4:nightly-2026-08-30-rev1", None, False),
        ("stable", "stable", None, True),
        ("my-own", "my-own", None, True),
        ("\n", None, None, True),
    ],
)
def test_toolchain_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    written: str,
    toolchain: str | None,
    version: tuple[int, int] | None,
    by_proof: bool,
) -> None:
    monkeypatch.delenv("ELAN_TOOLCHAIN", raising=False)
    (tmp_path / "lean-toolchain").write_text(written, encoding="utf-8", newline="")
    assert pinned_toolchain(tmp_path) == toolchain
    assert version_of(toolchain) == version
    assert takes_variables_by_proof(tmp_path) is by_proof


def test_a_folder_of_that_name_is_no_lakefile(tmp_path: Path) -> None:
    (tmp_path / "lakefile.toml").mkdir()
    touch(tmp_path / "lean-toolchain")
    assert find_project(tmp_path / "A.lean") == Project(tmp_path, lake=False)


@pytest.mark.parametrize("name", ["a" * 300 + "/B.lean", "a" * 300 + ".lean", "b\0.lean"])
def test_a_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    assert find_project(existing(tmp_path / name)).root == tmp_path


def test_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "lakefile.toml")
    monkeypatch.chdir(tmp_path)
    assert find_project(Path("Sub/A.lean")) == Project(tmp_path, lake=True)


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", ["lakefile.lean", "lakefile.toml", "lean-toolchain"])
def test_a_lakefile_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It is a program that Lake would run; only in a folder that the user has opened, or in the home, it counts."""
    shared, work = tmp_path / "shared", tmp_path / "shared" / "me" / "work"
    foreign, file = touch(shared / name), touch(work / "A.lean")
    os.chown(foreign, 65534, 65534)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    lake = name != "lean-toolchain"
    assert find_project(file) == Project(work, lake=False, passed_over=shared)
    assert find_project(file, [work]) == Project(work, lake=False, passed_over=shared)
    assert find_project(file, [tmp_path / "other", shared]) == Project(shared, lake)
    touch(tmp_path / "lakefile.toml")
    assert find_project(file) == Project(tmp_path, lake=True, passed_over=shared)
    monkeypatch.setenv("HOME", str(shared))
    assert find_project(file) == Project(shared, lake)
    monkeypatch.setenv("HOME", "/")
    assert find_project(file).passed_over == shared
    own = touch(tmp_path / "own" / "lakefile.lean")
    link = shared / "lakefile.lean"
    link.unlink(missing_ok=True)
    link.symlink_to(own)
    os.chown(link, 65534, 65534, follow_symlinks=False)
    assert find_project(file).passed_over == shared, "who can make a link chooses what it leads to"
    monkeypatch.chdir(shared)
    assert working_folder() == (shared,)
    shared.chmod(0o1777)
    assert working_folder() == ()


def test_a_program_that_cannot_be_executed(tmp_path: Path) -> None:
    touch(tmp_path / "tools" / "lean")
    with pytest.raises(
        LeanNotFoundError, match=r"tools/lean of the setting .* is a file that cannot be executed"
    ) as caught:
        server_command(Project(tmp_path, lake=False), LeanSettings(command=("tools/lean", "--server")), CHECK)
    assert caught.value.hint.startswith(f"Run `chmod +x {tmp_path / 'tools' / 'lean'}`")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with `lake` and `lean` on it, and no elan."""
    folder = tmp_path / "bin"
    program(folder / "lake")
    program(folder / "lean")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("ELAN_HOME", str(tmp_path / "no-elan"))
    return folder


def test_command_in_a_lake_project(programs: Path, tmp_path: Path) -> None:
    command = server_command(Project(tmp_path, lake=True), LeanSettings(), CHECK)
    assert command == (str(programs / "lake"), "serve", "--", *OPTIONS)


def test_command_elsewhere(programs: Path, tmp_path: Path) -> None:
    command = server_command(Project(tmp_path, lake=False), LeanSettings(), CHECK)
    assert command == (str(programs / "lean"), "--server", *OPTIONS)


def test_programs_in_the_folder_of_elan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = program(tmp_path / "elan" / "bin" / "lake")
    home = program(tmp_path / "home" / ".elan" / "bin" / "lake")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ELAN_HOME", str(tmp_path / "elan"))
    assert find_program("lake") == str(lake)
    monkeypatch.delenv("ELAN_HOME")
    assert find_program("lake") == str(home)
    assert find_program("lean") is None


@pytest.mark.parametrize("lake", [True, False])
def test_no_lean(lake: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ELAN_HOME", str(tmp_path / "elan"))
    with pytest.raises(LeanNotFoundError) as caught:
        server_command(Project(tmp_path, lake=lake), LeanSettings(), CHECK)
    assert caught.value.message == (
        f"The program {'lake' if lake else 'lean'} was found neither on the PATH nor in {tmp_path / 'elan' / 'bin'}."
    )
    assert "elan" in caught.value.hint
    assert "llmstep.lean.command" in caught.value.hint


@pytest.mark.parametrize(
    ("given", "rest"),
    [
        (("lean", "--server"), ("--server", *OPTIONS)),
        (("lake", "serve", "--"), ("serve", "--", *OPTIONS)),
        (("lake", "serve"), ("serve", "--", *OPTIONS)),
        (("lake", "+stable", "serve", "--", "-DautoImplicit=false"),
         ("+stable", "serve", "--", "-DautoImplicit=false", *OPTIONS)),
        (("lean", "--server", "-DmaxHeartbeats=0"), ("--server", "-DmaxHeartbeats=0", *OPTIONS[:3])),
        (("lean", "--server", "-D", "server.reportDelayMs=9"),
         ("--server", "-D", "server.reportDelayMs=9", *OPTIONS[1:])),
        (("lean", "--server", "-DsynthInstance.maxHeartbeats=5"),
         ("--server", "-DsynthInstance.maxHeartbeats=5", *OPTIONS)),
    ],
)  # fmt: skip
def test_command_of_the_setting(programs: Path, tmp_path: Path, given: tuple[str, ...], rest: tuple[str, ...]) -> None:
    command = server_command(Project(tmp_path, lake=True), LeanSettings(command=given), CHECK)
    assert command == (str(programs / given[0]), *rest)


def test_paths_in_the_setting(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = program(tmp_path / "project" / "tools" / "lean")
    project = Project(tmp_path / "project", lake=False)
    for given in ("tools/lean", str(own)):
        assert server_command(project, LeanSettings(command=(given, "--server")), CHECK)[0] == str(own)
    monkeypatch.setenv("HOME", str(tmp_path / "project"))
    assert server_command(project, LeanSettings(command=("~/tools/lean",)), CHECK)[0] == str(own)


@pytest.mark.parametrize("given", ["lean-that-is-not-there", "./lean", "/no/such/lean"])
def test_a_program_of_the_setting_that_is_not_there(programs: Path, tmp_path: Path, given: str) -> None:
    with pytest.raises(LeanNotFoundError) as caught:
        server_command(Project(tmp_path, lake=True), LeanSettings(command=(given, "--server")), CHECK)
    assert caught.value.message == f"The program {given} of the setting llmstep.lean.command was not found."


def test_a_file_that_cannot_be_run_is_no_program(programs: Path, tmp_path: Path) -> None:
    os.chmod(programs / "lean", 0o644)
    with pytest.raises(LeanNotFoundError):
        server_command(Project(tmp_path, lake=False), LeanSettings(), CHECK)
