"""Two pytests that run at the same time and report as one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from waiting import wait_until

CONFTEST = """
import beside

def pytest_addoption(parser):
    beside.add_options(parser)

def pytest_configure(config):
    beside.configure(config)
"""
MEET = """
import pathlib, time, warnings
import pytest

def meet(mine, other):
    here = pathlib.Path(__file__).parents[1]
    (here / mine).touch()
    deadline = time.monotonic() + 60
    while not (here / other).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""


def run(folder: Path, *arguments: str, **files: str) -> tuple[int, list[str]]:
    """Status and lines of a pytest in a folder with these files, named `folder__file`; what is in `slow` is beside."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider --import-mode=importlib\n")
    for name, text in files.items():
        file = folder / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(MEET + text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--beside", "slow", "-p", "no:asyncio", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "COLUMNS": "120", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_both_run_at_the_same_time_and_the_first_reports_on_all(tmp_path: Path) -> None:
    """Neither half of a meeting is passed alone. The order of the names is not that of the run."""
    status, lines = run(
        tmp_path,
        "-rA",
        fast__test_f="""
def test_meeting(): meet("fast", "slow")
@pytest.mark.parametrize("each", ["a b", "é::[", "\\n"])
def test_values(each): pass
""",
        slow__test_a="""
def test_meeting(): meet("slow", "fast")
@pytest.mark.parametrize("each", ["a b", "é::[", "\\n"])
def test_values(each):
    print("said beside")
def test_skipped(): pytest.skip("not today")
def test_warning(): warnings.warn("careful", DeprecationWarning)
@pytest.fixture(scope="session")
def kept():
    yield
    raise OSError("cannot be ended")
def test_fails(kept): assert [1, 2] == [1, 3]
""",
    )
    assert status == 1
    shown = "\n".join(lines)
    order = [line.split()[0] for line in lines if "%]" in line]
    assert order == ["fast/test_f.py", "slow/test_a.py"]
    assert "beside the others: slow" in lines
    assert lines.count("said beside") == 3
    assert "E   assert [1, 2] == [1, 3]" in lines
    assert "E       OSError: cannot be ended" in lines
    assert "SKIPPED [1] slow/test_a.py:" in shown
    assert "DeprecationWarning: careful" in shown
    assert sum(line.startswith("PASSED ") for line in lines) == 9
    assert re.search(r"^\d+ s, and beside it \d+ s for slow$", shown, re.MULTILINE)
    assert lines[-1].strip("= ").startswith("1 failed, 9 passed, 1 skipped, 1 warning, 1 error in ")


def test_only_what_was_chosen_runs(tmp_path: Path) -> None:
    status, lines = run(
        tmp_path,
        "-k",
        "one or two",
        fast__test_f="def test_one(): meet('one', 'two')\n",
        slow__test_a="def test_two(): meet('two', 'one')\ndef test_three(): 1 / 0\n",
    )
    assert status == 0
    assert lines[-1].strip("= ").startswith("2 passed, 1 deselected in ")


def test_a_second_pytest_that_dies_is_told(tmp_path: Path) -> None:
    status, lines = run(
        tmp_path,
        fast__test_f="def test_one(): pass\n",
        slow__test_a="import os\ndef test_first(): pass\ndef test_dies(): os._exit(7)\ndef test_after(): pass\n",
    )
    assert status == 1
    assert lines.count("The pytest beside this one ended before its tests:") == 2  # for each test without a report
    assert lines[-1].strip("= ").startswith("2 failed, 2 passed in ")


HELD = """
@pytest.fixture
def kept():
    yield
    meet("ended", "ended")
def test_two(kept):
    meet("two", "never")
"""


def test_it_is_ended_when_the_first_stops(tmp_path: Path) -> None:
    """And its fixtures with it."""
    fails = "def test_one():\n    meet('one', 'two')\n    assert 0\n"
    status, lines = run(tmp_path, "-x", fast__test_f=fails, slow__test_a=HELD)
    assert status == 1
    assert lines[-1].strip("= ").startswith("1 failed in ")
    assert (tmp_path / "ended").exists()


def test_it_ends_when_the_first_is_killed(tmp_path: Path) -> None:
    dies = "import os, signal\ndef test_one():\n    meet('one', 'two')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    status, _ = run(tmp_path, fast__test_f=dies, slow__test_a=HELD)
    assert status == -signal.SIGKILL
    wait_until((tmp_path / "ended").exists)


def test_it_is_no_child_of_the_first(tmp_path: Path) -> None:
    """Some tests look at the processes below their own."""
    looks = "import psutil\ndef test_one():\n    meet('one', 'two')\n    assert psutil.Process().children() == []\n"
    held = "def test_two():\n    meet('two', 'one')\n    meet('two', 'seen')\n"
    status, _ = run(tmp_path, fast__test_f=looks + "    meet('seen', 'seen')\n", slow__test_a=held)
    assert status == 0


def test_without_others_nothing_runs_beside(tmp_path: Path) -> None:
    """As with a path of one suite."""
    text = "import sys\ndef test_one(): assert '--beside-reports' not in sys.argv\n"
    status, lines = run(tmp_path, slow__test_a=text)
    assert status == 0
    assert lines[-1].strip("= ").startswith("1 passed in ")
