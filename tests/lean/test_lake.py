"""Beside Lake: builds, imports that change, starts that take long, locks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psutil
import pytest
from processes import words
from waiting import until

from llmstep.errors import BusyError, LeanImportsError, LeanProjectError, LeanTimeoutError
from llmstep.lean import home, server
from llmstep.lean.build import build_commands
from llmstep.lean.project import Project
from llmstep.types import Verdict

from .lake_places import DEP, GOAL, PLAIN, SITE, TEXT, place, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fake_lake import FakeLake

    from llmstep.lean.workspace import LeanWorkspace
    from llmstep.progress import Progress
    from llmstep.settings import Settings
    from llmstep.types import Goal

pytestmark = [pytest.mark.lean, pytest.mark.asyncio]


async def test_imports_that_are_out_of_date_are_never_built_unasked(
    lake: FakeLake, workspace_of: Callable[[Settings], LeanWorkspace]
) -> None:
    workspace, uri = workspace_of(lake.settings()), (lake.root / "A.lean").as_uri()
    for _ in range(2):
        with pytest.raises(LeanImportsError) as caught:
            await workspace.goal(uri, PLAIN, SITE)
        assert caught.value.message == "The imports of this file are out of date."
        assert f"`lake build Dep` in {lake.root}" in caught.value.hint
        assert "lake exe cache get" in caught.value.hint
    assert all("--no-build" in call["words"] for call in lake.calls("setup-file"))
    assert len(lake.calls("setup-file")) == 2, "the imports are looked at again with each question"
    assert not (lake.root / ".lake").exists()

    told: list[Progress] = []
    await workspace.build_imports(uri, PLAIN, told.append)
    assert [each.message for each in told] == ["✔ [1/1] Built Dep", "Build completed successfully."]
    assert [call["words"] for call in lake.calls("build")] == [["build", "Dep"]]
    assert await workspace.goal(uri, PLAIN, SITE) == GOAL


async def test_imports_are_built_once_where_the_setting_says_so(
    lake: FakeLake, workspace_of: Callable[[Settings], LeanWorkspace]
) -> None:
    workspace, uri = workspace_of(lake.settings(lean={"build_imports": "once"})), (lake.root / "A.lean").as_uri()
    said: list[Progress] = []
    assert await workspace.goal(uri, PLAIN, SITE, said.append) == GOAL
    assert "--no-build" not in lake.calls("setup-file")[0]["words"]
    assert any(each.message == "Lean prepares the imports: ✔ [1/1] Built Dep" for each in said), said


async def test_imports_that_were_built_anew_are_read_again(
    lake: FakeLake, workspace_of: Callable[[Settings], LeanWorkspace]
) -> None:
    workspace, uri = workspace_of(lake.settings()), (lake.root / "A.lean").as_uri()
    outdated: list[str] = []
    workspace.on_outdated = outdated.append
    await workspace.build_imports(uri, PLAIN, str)
    old, new = "exact old_name p hp", "exact new_name p hp"
    assert await verdicts(workspace, uri, old, new) == [Verdict.CLOSES, Verdict.INVALID]
    assert outdated == []
    starts = len(lake.calls("serve"))

    source = lake.source("Dep", DEP.format("new_name"))
    with pytest.raises(LeanImportsError):  # the file is saved, not built: what was known no longer holds
        await verdicts(workspace, uri, old)
    assert outdated == [uri]
    assert workspace.saved([lake.root / "Other.lean", lake.root / "A.lean"]) is False

    await workspace.build_imports(uri, PLAIN, str)  # as a build in a terminal
    assert await verdicts(workspace, uri, old, new) == [Verdict.INVALID, Verdict.CLOSES]
    outdated.clear()
    assert workspace.saved([source]) is True
    assert outdated == [uri]
    assert await verdicts(workspace, uri, old, new) == [Verdict.INVALID, Verdict.CLOSES]
    assert len(lake.calls("serve")) == starts, "without another server"


async def test_an_import_that_is_missing_and_comes(
    lake: FakeLake, workspace_of: Callable[[Settings], LeanWorkspace]
) -> None:
    workspace, uri = workspace_of(lake.settings()), (lake.root / "A.lean").as_uri()
    text = TEXT.replace("Dep", "Missing.Part")
    with pytest.raises(LeanImportsError, match=r"^Lean cannot read an import of this file: .*Missing"):
        await verdicts(workspace, uri, "exact hp", text=text)
    lake.source("Missing.Part", DEP.format("came"))
    await workspace.build_imports(uri, text.replace("‸", ""), str)
    assert await verdicts(workspace, uri, "exact came p hp", text=text) == [Verdict.CLOSES]


async def test_a_build_is_cancelled_and_fails_in_a_sentence(
    lake: FakeLake, workspace_of: Callable[[Settings], LeanWorkspace]
) -> None:
    workspace, uri = workspace_of(lake.settings()), (lake.root / "A.lean").as_uri()
    lake.hold()
    task = asyncio.create_task(workspace.build_imports(uri, PLAIN, str))
    await until(lambda: bool(lake.calls("build")))
    with pytest.raises(BusyError, match="are being built already"):
        await workspace.build_imports(uri, PLAIN, str)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not any("build" in words(each) for each in psutil.Process().children(recursive=True)))
    lake.go_on()
    lake.source("Dep", "theorem wrong : 1 = 2 := rfl\n")
    with pytest.raises(LeanProjectError, match=r"^`lake build Dep` failed: .*Dep\.lean:1"):
        await workspace.build_imports(uri, PLAIN, str)


async def test_what_is_built(lake: FakeLake, tmp_path: Path) -> None:
    settings, project = lake.settings().lean, Project(lake.root, lake=True)
    build = (str(lake.program), "build", "Dep")
    assert build_commands(project, PLAIN, settings) == [build]
    (lake.root / ".lake/packages/mathlib").mkdir(parents=True)
    assert build_commands(project, PLAIN, settings) == [(str(lake.program), "exe", "cache", "get"), build]
    (lake.root / ".lake/packages/mathlib/.lake/build/lib").mkdir(parents=True)
    assert build_commands(project, PLAIN, settings) == [build]
    manifest = '{"packagesDir": "deps", "packages": [{"name": "mathlib"}]}'
    (lake.root / "lake-manifest.json").write_text(manifest, encoding="utf-8")
    fetch = (str(lake.program), "exe", "cache", "get")
    assert build_commands(project, PLAIN, settings) == [fetch, build], "it was never fetched"
    (lake.root / "deps/mathlib/.lake/build/lib").mkdir(parents=True)
    assert build_commands(project, PLAIN, settings) == [build]
    with pytest.raises(LeanProjectError, match="the file imports nothing"):
        build_commands(project, "theorem t : True := trivial", settings)
    with pytest.raises(LeanProjectError, match="is no Lake project"):
        build_commands(Project(tmp_path, lake=False), PLAIN, settings)


async def test_a_start_may_take_long_and_outlives_its_askers(
    lake: FakeLake, workspace_of: Callable[[Settings], LeanWorkspace]
) -> None:
    """elan downloads a toolchain before `initialize` is answered."""
    lake.control(say="info: downloading component 'lean'\r\n 3.1 MiB / 402 MiB")
    lake.hold()
    workspace, uri = workspace_of(lake.settings(lean={"timeout_seconds": 2.0})), (lake.root / "A.lean").as_uri()
    text = TEXT.replace("import Dep\n", "")
    plain, point = place(text)
    said: list[Progress] = []
    first = asyncio.create_task(workspace.goal(uri, plain, point, said.append))
    await until(lambda: "Starting Lean: 3.1 MiB / 402 MiB" in [each.message for each in said])
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(workspace.goal(uri, plain, point))
    await asyncio.wait({second}, timeout=2.5)  # longer than answers may take
    assert not second.done()
    lake.go_on()

    async def answered() -> Goal | None:
        try:
            return await workspace.goal(uri, plain, point)
        except LeanTimeoutError:  # a slow machine
            return None

    await asyncio.gather(second, return_exceptions=True)
    assert await until(answered) == GOAL
    assert len(lake.calls("serve")) == 1


async def test_a_silent_start_is_told_of(
    lake: FakeLake, workspace_of: Callable[[Settings], LeanWorkspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "TELL_SECONDS", 0.1)
    lake.hold()
    workspace, uri = workspace_of(lake.settings()), (lake.root / "A.lean").as_uri()
    plain, point = place(TEXT.replace("import Dep\n", ""))
    said: list[str] = []
    asked = asyncio.create_task(workspace.goal(uri, plain, point, lambda each: said.append(each.message)))
    await until(lambda: "Starting Lean, 1 s: it says nothing yet" in said)
    lake.go_on()
    assert await asked == GOAL


async def test_a_lock_of_another_lake(
    lake: FakeLake, workspace_of: Callable[[Settings], LeanWorkspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "LOCK_SECONDS", 0.1)
    workspace, uri = workspace_of(lake.settings()), (lake.root / "A.lean").as_uri()
    text = TEXT.replace("import Dep\n", "")
    lake.control(locks=1)
    assert await verdicts(workspace, uri, "exact hp", text=text) == [Verdict.CLOSES]
    assert len(lake.calls("serve")) == 2, "Lean is started anew, once"
    await workspace.restart()
    lake.control(locks=9)
    with pytest.raises(LeanProjectError) as caught:
        await verdicts(workspace, uri, "exact hp", text=text)
    assert caught.value.message == "Another Lake is configuring this project."
    assert len(lake.calls("serve")) == 4
    lake.control(locks=1, mute=True)
    await workspace.restart()
    await workspace.build_imports(uri, PLAIN, str)
    assert await verdicts(workspace, uri, "exact old_name p hp") == [Verdict.CLOSES]
    assert len(lake.calls("serve")) == 6
    await workspace.restart()
    lake.control(locks=9)
    with pytest.raises(LeanProjectError, match=r"^Another Lake is configuring this project\."):
        await verdicts(workspace, uri, "exact old_name p hp")
    await workspace.restart()
    lake.control(locks=0, failure="error: ././lakefile.toml:3:1: unexpected end of input")
    with pytest.raises(LeanProjectError) as caught:
        await verdicts(workspace, uri, "exact hp", text=text)
    assert caught.value.message == ("Lake cannot prepare this file: ././lakefile.toml:3:1: unexpected end of input")
    assert f"`lake build` in {lake.root}" in caught.value.hint
