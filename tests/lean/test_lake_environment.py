"""Beside Lake: options of the lakefile, memory, and what Lean's child may see."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from llmstep.errors import LeanError, LeanMemoryError
from llmstep.lean.process import lean_environment
from llmstep.types import Verdict

from .lake_places import PLAIN, SITE, TEXT, place, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from fake_lake import FakeLake

    from llmstep.lean.workspace import LeanWorkspace
    from llmstep.settings import Settings

pytestmark = [pytest.mark.lean, pytest.mark.asyncio]


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


async def test_nothing_is_said_where_the_project_keeps_the_kernel_from_checking(
    lake: FakeLake, workspace_of: Callable[[Settings], LeanWorkspace]
) -> None:
    lake.control(options={"debug.skipKernelTC": True})
    workspace, uri = workspace_of(lake.settings()), (lake.root / "A.lean").as_uri()
    text = "theorem t : 1 = 2 := by\n  ‸\n"
    assert await verdicts(workspace, uri, "decide +kernel", "skip; decide +kernel", text=text) == [
        Verdict.UNCHECKED,
        Verdict.UNCHECKED,
    ]
    text = "namespace N\nprotected theorem t : 1 = 1 := by\n  ‸\n"  # Lean knows no `t` to say the axioms of
    assert await verdicts(workspace, uri, "rfl", text=text) == [Verdict.UNCHECKED]


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
        checks = await workspace.check(uris[1], plain, point, candidates)
        assert checks[-1].verdict is Verdict.CLOSES
    [check] = await workspace.check(uris[1], plain, point, ["repeat have j := hp"])
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
