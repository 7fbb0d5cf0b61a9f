"""The command line, run in this process: torch is imported once for all tests."""

from __future__ import annotations

import io
import os
import sys
from typing import Protocol

import attrs
import pytest

from llmstep.cli import main


@attrs.frozen
class Ended:
    status: int
    out: str
    err: str


class Run(Protocol):
    def __call__(self, *arguments: str, stdin: bytes = b"", **environment: str) -> Ended: ...


@pytest.fixture
def llmstep(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """`llmstep ARGUMENTS` with stdin and environment, none of which is left afterwards."""
    for name in [name for name in os.environ if name.startswith("LLMSTEP_") and name != "LLMSTEP_CONFIG"]:
        monkeypatch.delenv(name)

    def run(*arguments: str, stdin: bytes = b"", **environment: str) -> Ended:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["llmstep", *arguments])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
            for name, value in environment.items():
                patch.setenv(name, value)
            capfd.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = capfd.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return run
