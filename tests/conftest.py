"""Fixtures shared by all suites: a real Lean, the starter model, folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import beside
import pytest
from compiled_package import package
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["package"]

ROOT = Path(__file__).resolve().parents[1]
KIT = ROOT / "tests" / "lean_kit"

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("LLMSTEP_CONFIG", os.devnull)  # not the settings of who runs the tests
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Tests have caches of their own; what numba compiles, which takes 20 s, is shared by all.
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / "build" / "numba"))
# Running companions write there where agents find them; those of the developer's own editors are no part of the tests.
os.environ["XDG_STATE_HOME"] = str(ROOT / "build" / "state")

# Every run has the same examples, however slow the machine is; `--hypothesis-profile default` draws others.
settings.register_profile("same", deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck])
settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    beside.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    beside.configure(config)


def pytest_report_header() -> str:
    return f"llmstep: Lean from {os.environ.get('LLMSTEP_TEST_LEAN') or 'the kit (tests/lean_kit)'}"


@pytest.fixture(scope="session")
def lean() -> Path:
    """The `lean` executable: `LLMSTEP_TEST_LEAN`, or the kit's, built on first use (a minute, then at once)."""
    given = os.environ.get("LLMSTEP_TEST_LEAN")
    if given:
        return Path(given)
    out = ROOT / "build" / "lean"
    subprocess.run([sys.executable, str(KIT / "build.py"), str(out), "--quiet"], check=True)
    return out / "bin" / "lean"


@pytest.fixture(scope="session")
def lean_command(lean: Path) -> tuple[str, ...]:
    """The command that starts the Lean server in the tests."""
    return (str(lean), "--server", "-Dserver.reportDelayMs=0")


@pytest.fixture
def complaints(lean: Path, tmp_path: Path) -> Callable[[str], list[str]]:
    """The errors that Lean has in a file with this text, and its warnings of `sorry`."""

    def run(text: str) -> list[str]:
        file = tmp_path / "Judged.lean"
        file.write_bytes(text.encode("utf-8"))
        done = subprocess.run([lean, "--json", file], capture_output=True, text=True, check=False)
        messages = [json.loads(line) for line in done.stdout.splitlines()]
        return [each["data"] for each in messages if each["severity"] == "error" or "sorry" in each["data"]]

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which suites ran: one line a folder of tests/."""
    counts: dict[str, dict[str, int]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            suite = report.nodeid.split("::")[0].removeprefix("tests/").split("/")[0].removesuffix(".py")
            counts.setdefault(suite, {}).setdefault(outcome, 0)
            counts[suite][outcome] += 1
    terminalreporter.section("suites")
    for suite, results in sorted(counts.items()):
        terminalreporter.line(f"{suite}: " + ", ".join(f"{count} {outcome}" for outcome, count in results.items()))
