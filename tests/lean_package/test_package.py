"""The package as a whole: files, headers, compilation, and what it does outside an editor."""

from __future__ import annotations

import re
from typing import Any

GOAL = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n"


def test_the_sources_compile_against_the_kit(package: Any) -> None:
    oleans = {str(f.relative_to(package)) for f in package.rglob("*.olean")}
    parts = {f"LLMstep/{name}.olean" for name in ("Options", "Guard", "Client", "Check", "Tactic", "Rpc", "Try")}
    assert oleans == {"LLMstep.olean", *parts}


def test_every_source_is_a_module_without_dependencies(sources: Any) -> None:
    for file in [sources / "LLMstep.lean", *(sources / "LLMstep").glob("*.lean")]:
        lines = file.read_text("utf-8").split("\n")
        assert lines[0] == "module", file
        imports = [line for line in lines if re.match(r"(public |meta )*import ", line)]
        assert all(re.fullmatch(r"public meta import (Lean|LLMstep\.\w+)", line) for line in imports), file


def test_the_root_imports_everything_but_the_opt_in_part(sources: Any) -> None:
    imported = set(
        re.findall(r"^public meta import LLMstep\.(\w+)", (sources / "LLMstep.lean").read_text("utf-8"), re.MULTILINE)
    )
    assert imported == {f.stem for f in (sources / "LLMstep").glob("*.lean")} - {"Try"}


def test_stripping_changes_headers_only(sources: Any, strip: Any) -> None:
    for file in sources.rglob("*.lean"):
        before = file.read_text("utf-8").split("\n")
        after = strip(file.read_text("utf-8")).split("\n")
        changed = {a for a, b in zip(before, after, strict=True) if a != b}
        assert all(a in ("module", "public meta section") or a.startswith("public meta import ") for a in changed), file


def test_the_package_stays_small(sources: Any) -> None:
    """About 450 lines of code, a hundred of them the guard, so that a new Lean version is an afternoon's work."""
    code = 0
    for file in [sources / "LLMstep.lean", *(sources / "LLMstep").glob("*.lean")]:
        text = re.sub(r"/-.*?-/", "", file.read_text("utf-8"), flags=re.DOTALL)
        code += sum(bool(line.strip()) and not line.strip().startswith("--") for line in text.split("\n"))
    assert code <= 450


def test_outside_an_editor_nothing_is_asked_and_a_warning_says_so(outside: Any, model: Any) -> None:
    done = outside(GOAL + '  llmstep "ex"\n  exact ⟨hp, hq⟩\n', LLMSTEP_PORT=str(model.port))
    assert done.returncode == 0
    assert done.stdout.strip() == (
        "Outside.lean:4:2: warning: llmstep does nothing outside an editor: replace it with a step of the proof."
    )
    assert model.requests == []


def test_outside_an_editor_the_goal_stays_open(outside: Any) -> None:
    done = outside(GOAL + "  llmstep\n")
    assert done.returncode == 1
    assert "unsolved goals" in done.stdout


def test_outside_an_editor_try_asks_nothing(outside: Any, model: Any) -> None:
    text = "import LLMstep.Try\nopaque P : Prop\nexample : P := by\n  try?\n"
    assert outside(text, LLMSTEP_PORT=str(model.port)).returncode == 1
    assert model.requests == []
