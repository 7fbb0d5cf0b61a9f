"""Beside Lake: builds, imports that change, locks, options of the lakefile, memory, and what Lean's child may see."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import pytest_asyncio
from fake_lake import FakeLake
from waiting import until

from llmstep.errors import BusyError, LeanError, LeanImportsError, LeanMemoryError, LeanProjectError
from llmstep.lean import home
from llmstep.lean.build import build_commands
from llmstep.lean.environment import lean_environment
from llmstep.lean.insertion_points import InsertionPoint, find_insertion_point
from llmstep.lean.project import Project
from llmstep.lean.text import position_at
from llmstep.lean.workspace import LeanWorkspace
from llmstep.types import Goal, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from llmstep.progress import Progress
    from llmstep.settings import Settings

pytestmark = [pytest.mark.lean, pytest.mark.asyncio]

TEXT = "import Dep\n\ntheorem t (p : Prop) (hp : p) : p := by\n  ‸\n"
DEP = "theorem {} (p : Prop) (hp : p) : p := hp\n"


@pytest.fixture
def lake(tmp_path: Path, lean: Path) -> FakeLake:
    made = FakeLake(tmp_path, lean)
    made.source("Dep", DEP.format("old_name"))
    return made


@pytest_asyncio.fixture
async def workspace_of(lake: FakeLake) -> AsyncIterator[Callable[[Settings], LeanWorkspace]]:
    made: list[LeanWorkspace] = []

    def of(settings: Settings) -> LeanWorkspace:
        made.append(LeanWorkspace(settings))
        return made[-1]

    yield of
    for each in made:
        await each.close()


def place(text: str = TEXT) -> tuple[str, InsertionPoint]:
    plain = text.replace("‸", "")
    point = find_insertion_point(plain, position_at(plain, text.index("‸")))
    assert point is not None
    return plain, point


PLAIN, SITE = place()
GOAL = Goal("p : Prop\nhp : p\n⊢ p")


async def verdicts(workspace: LeanWorkspace, uri: str, *candidates: str, text: str = TEXT) -> list[Verdict]:
    plain, point = place(text)
    goal = await workspace.goal(uri, plain, point)
    return [check.verdict for check in await workspace.check(uri, plain, point, goal, candidates)]


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
    lake.control(build_delay=0.5)
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
    lake.control(build_delay=600)
    task = asyncio.create_task(workspace.build_imports(uri, PLAIN, str))
    await until(lambda: bool(lake.calls("build")))
    with pytest.raises(BusyError, match="are being built already"):
        await workspace.build_imports(uri, PLAIN, str)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not [each for each in psutil.Process().children(recursive=True) if _builds(each)])
    lake.control(build_delay=0)
    lake.source("Dep", "theorem wrong : 1 = 2 := rfl\n")
    with pytest.raises(LeanProjectError, match=r"^`lake build Dep` failed: .*Dep\.lean:1"):
        await workspace.build_imports(uri, PLAIN, str)


def _builds(child: psutil.Process) -> bool:
    try:
        return child.status() != psutil.STATUS_ZOMBIE and "build" in child.cmdline()
    except psutil.Error:
        return False


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
    lake.control(say="info: downloading component 'lean'\r\n 3.1 MiB / 402 MiB", delay=6)
    workspace, uri = workspace_of(lake.settings(lean={"timeout_seconds": 2.0})), (lake.root / "A.lean").as_uri()
    text = TEXT.replace("import Dep\n", "")
    plain, point = place(text)
    said: list[Progress] = []
    first = asyncio.create_task(workspace.goal(uri, plain, point, said.append))
    await until(lambda: "Starting Lean: 3.1 MiB / 402 MiB" in [each.message for each in said])
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await workspace.goal(uri, plain, point) == GOAL
    assert len(lake.calls("serve")) == 1


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


async def test_an_older_lean_is_named(lake: FakeLake, workspace_of: Callable[[Settings], LeanWorkspace]) -> None:
    lake.control(refuse="server.reportDelayMs")
    with pytest.raises(LeanError, match=r"does not know the option server\.reportDelayMs: .* older than 4\.8, "):
        await workspace_of(lake.settings()).goal((lake.root / "A.lean").as_uri(), PLAIN, SITE)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"warningAsError": True},
        {"warn.sorry": False},
        {"linter.all": True, "linter.unusedVariables": True},
        {"maxHeartbeats": 2000},
        {"autoImplicit": True, "relaxedAutoImplicit": True},
        {"pp.all": True},
    ],
    ids=str,
)
async def test_options_of_the_lakefile_change_no_verdict(
    lake: FakeLake, workspace_of: Callable[[Settings], LeanWorkspace], options: dict[str, Any]
) -> None:
    """They override those of the command line, so a check must be right under each."""
    lake.control(options=options)
    workspace, uri = workspace_of(lake.settings()), (lake.root / "A.lean").as_uri()
    text = (
        "theorem above (p : Prop) (hp : p) : p := by\n  exact hp\n\n"
        "theorem t (p q : Prop) (hp : p) (hq : q) (unused : p) : p ∧ q := by\n  ‸\n"
    )
    for given in (text, "".join(f"set_option {name} {_lean(value)}\n" for name, value in options.items()) + text):
        assert await verdicts(
            workspace,
            uri,
            "exact ⟨hp, hq⟩",
            "constructor",
            "exact ⟨hp, sorry⟩",
            "have : p := by exact sorry",
            "exact hq",
            "skip",
            "have k := hp\n  exact ⟨hp, hq⟩",
            text=given,
        ) == [
            Verdict.CLOSES,
            Verdict.PROGRESS,
            Verdict.INVALID,
            Verdict.INVALID,
            Verdict.INVALID,
            Verdict.INVALID,
            Verdict.CLOSES,
        ]


def _lean(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


async def test_memory(lake: FakeLake, workspace_of: Callable[[Settings], LeanWorkspace]) -> None:
    """Two files stay open, fewer where they need too much together; a process that grows too far is ended."""
    workspace = workspace_of(lake.settings(check={"memory_mb": 400}))
    text = TEXT.replace("import Dep\n", "")
    uris = [(lake.root / f"{name}.lean").as_uri() for name in "ABC"]
    for uri in (*uris, uris[1]):
        assert await verdicts(workspace, uri, "exact hp", text=text) == [Verdict.CLOSES]
    [info] = workspace.servers()
    workers = {each.uri: each.private_bytes for each in info.processes if each.role == "worker"}
    assert set(workers) == set(uris[1:])
    assert all(5_000_000 < size < 200_000_000 for size in workers.values())
    plain, point = place(text.replace("theorem", "set_option maxRecDepth 10000000\n\ntheorem"))
    workspace.store.change(lake.settings(check={"memory_mb": 100, "max_heartbeats": 0}))
    for candidates in (["repeat have k := hp", "exact hp"], ["exact hp"]):
        checks = await workspace.check(uris[1], plain, point, GOAL, candidates)
        assert checks[-1].verdict is Verdict.CLOSES
    [check] = await workspace.check(uris[1], plain, point, GOAL, ["repeat have j := hp"])
    assert check.verdict is Verdict.UNCHECKED
    assert check.message == "Lean was stopped: it took more than 100 MB of memory."
    assert max(each.private_bytes for info in workspace.servers() for each in info.processes) < 200_000_000
    plain, point = place(text)
    workspace.store.change(lake.settings(check={"memory_mb": 10}))
    with pytest.raises(LeanMemoryError, match=r"^Lean was stopped: it took more than 10 MB of memory\."):
        await workspace.goal(uris[0], plain, point)


async def test_the_environment_of_lean() -> None:
    given = {
        "PATH": "/bin", "HOME": "/home/u", "LANG": "C.UTF-8", "LC_ALL": "C", "TMPDIR": "/tmp", "https_proxy": "http://p",
        "ELAN_HOME": "/e", "ELAN_TOOLCHAIN": "t", "LAKE_NO_CACHE": "1", "LEAN_PATH": "/l", "LAKE": "/lake",
        "XDG_CACHE_HOME": "/c", "SSL_CERT_FILE": "/s", "SystemRoot": "C:", "Path": "C:", "MATHLIB_CACHE_DIR": "/m",
        "LLMSTEP_PORT": "6000", "NIX_PROFILES": "/n",
    }  # fmt: skip
    secrets = (
        "LLMSTEP_API_KEY LLMSTEP_TOKEN LLMSTEP_TOKEN_FILE HF_TOKEN HUGGING_FACE_HUB_TOKEN GITHUB_TOKEN GH_TOKEN",
        "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE OPENAI_API_KEY ANTHROPIC_API_KEY",
        "LAKE_CACHE_KEY LEAN_SECRET ELAN_PASSWORD XDG_CREDENTIALS LC_TOKEN SSH_AUTH_SOCK NPM_CONFIG__AUTH",
        "GOOGLE_APPLICATION_CREDENTIALS DATABASE_URL PGPASSWORD MYSQL_PWD lean_api_key KUBECONFIG PYTHONPATH",
    )
    made = lean_environment(
        ("NIX_PROFILES", "GITHUB_TOKEN"), {**given, **dict.fromkeys(" ".join(secrets).split(), "secret")}
    )
    assert made == {**given, "GIT_TERMINAL_PROMPT": "0"}
    assert "NIX_PROFILES" not in lean_environment((), given)


async def test_lean_and_lake_are_given_no_secret(
    lake: FakeLake, workspace_of: Callable[[Settings], LeanWorkspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LLMSTEP_API_KEY", "HF_TOKEN", "MY_PASSWORD", "LAKE_SECRET"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("LAKE_PLAIN", "plain")
    workspace, uri = workspace_of(lake.settings()), (lake.root / "A.lean").as_uri()
    await workspace.build_imports(uri, PLAIN, str)
    await workspace.goal(uri, PLAIN, SITE)
    for command in ("serve", "setup-file", "build"):
        for call in lake.calls(command):
            assert "s3cret" not in call["env"].values()
            assert call["env"]["LAKE_PLAIN"] == "plain"
            assert call["env"]["PATH"] == os.environ["PATH"]
    workers = [psutil.Process(each.pid).environ() for info in workspace.servers() for each in info.processes]
    assert len(workers) >= 2
    assert all("s3cret" not in environ.values() for environ in workers)
