"""Bad files, numbers and streams on the command line: one sentence with a hint, an exit status, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmstep.cli.faults import FAILED, end

if TYPE_CHECKING:
    from .conftest import Run

GOAL = "p : Prop\nhp : p\n⊢ p"
STARTER = ("--model", "starter", "--device", "cpu")
NINES = "9" * 30


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with all sorts of files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "A.lean").write_text("theorem t : True := by\n  sorry\n", encoding="utf-8")
    (tmp_path / "dangling").symlink_to("/nonexistent/x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(65 << 20)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("suggest", "none", "--line", "1", "--column", "1"),
            "The file none cannot be read: No such file or directory.",
        ),
        (("suggest", "dangling", "--line", "1", "--column", "1"), "dangling is a link to /nonexistent/x, which is not"),
        (("suggest", "folder", "--line", "1", "--column", "1"), "folder is a folder."),
        (("suggest", "bytes", "--line", "1", "--column", "1"), "bytes is not UTF-8 (byte 0). Save it as UTF-8."),
        (("suggest", "huge", "--line", "1", "--column", "1"), "The file huge has more than 64 MB."),
        (("suggest", "/dev/zero", "--line", "1", "--column", "1"), "The file /dev/zero has more than 64 MB."),
        (("suggest", "A.lean", "--line", NINES, "--column", "1"), f"There is no line {NINES} in A.lean."),
        (("suggest", "--goal-file", "folder"), "The file folder cannot be read: Is a directory."),
        (("suggest", "\udcff.lean", "--line", "1", "--column", "1"), "Argument 2 is not UTF-8: "),
        (("suggest", "--goal-file", "A.lean", "--temperature", "nan"), "The setting llmstep.temperature is nan."),
        (("suggest", "--goal-file", "A.lean", "--temperature", "1e400"), "The setting llmstep.temperature is inf."),
        (("suggest", "--goal-file", "A.lean", "--count", NINES), f"The setting llmstep.count is {NINES}."),
        (("suggest", "--goal-file", "A.lean", "--model", "a\nb"), "without control characters."),
        (("serve", "--port", "99999999"), "The setting llmstep.http.port is 99999999. It must be at most 65535."),
        (("serve", "--token-file", "dangling"), "The token cannot be read from dangling: No such file"),
        (("train", "bytes"), "bytes is not UTF-8 (byte 0)."),
        (("train", "folder"), "folder cannot be read: Is a directory."),
        (("lsp", "--tcp", "1.2.3.4:80"), "The language server does not listen at '1.2.3.4'"),
    ],
)
def test_bad_input_ends_in_one_sentence(llmstep: Run, arguments: tuple[str, ...], said: str) -> None:
    ended = llmstep(*arguments)
    assert ended.status == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1, "one line"
    assert "Traceback" not in ended.err
    assert ended.out == ""


@pytest.mark.parametrize("address", ["x", "127.0.0.1:99999", "127.0.0.1:" + "9" * 5000, "127.0.0.1:-1"])
def test_an_address_that_is_none(llmstep: Run, address: str) -> None:
    ended = llmstep("lsp", "--tcp", address)
    assert ended.status == 2
    assert "HOST:PORT" in ended.err


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command line with `llmstep` on its path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("llmstep models > /dev/full", 3, "llmstep: The output cannot be written: No space left on device."),
        ("llmstep models --json > /dev/full", 3, "llmstep: The output cannot be written: No space left on device."),
        ("llmstep models | true", (0, 1, 3), ""),
        ("llmstep models >&-", 0, ""),
        ("llmstep models 2>&-", 0, ""),
        ("llmstep suggest --goal-file - <&-", 2, "llmstep: The goal is empty."),
        ("llmstep lsp <&- >&-", 1, ""),
        ("llmstep nonsense 2> /dev/full", (2, 3), ""),
    ],
)
def test_streams_that_are_full_or_closed(command: str, status: int | tuple[int, ...], said: str) -> None:
    ended = shell(command)
    assert ended.returncode in (status if isinstance(status, tuple) else (status,)), ended.stderr
    assert ended.stderr.startswith(said)
    assert "Traceback" not in ended.stderr
    assert "Exception" not in ended.stderr
    assert ended.stderr.count("\n") == bool(said)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/x"), "/x cannot be read or written: Permission denied. Check that"),
        (
            OSError(28, "No space left on device", "/x"),
            "/x cannot be read or written: No space left on device. Make room",
        ),
        (MemoryError(), "There is not enough memory. Close other"),
        (RecursionError(), "Something in the input is nested too deeply. Give"),
        (UnicodeDecodeError("utf-8", b"", 0, 1, "x"), "Something that was read or written is no UTF-8 text. Save"),
        (KeyError("x"), "This is a fault of llmstep itself: KeyError. Please report it; LLMSTEP_TRACEBACK=1 shows"),
    ],
)
def test_whatever_is_raised_is_one_sentence(error: Exception, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        end(error)
    assert ended.value.code == FAILED
    assert capfd.readouterr().err.startswith(f"llmstep: {said}")
