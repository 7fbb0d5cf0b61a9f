"""Pythons that a benchmark starts and waits for."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from llmstep.errors import LlmstepError

if TYPE_CHECKING:
    from collections.abc import Sequence


def run_python(arguments: Sequence[str]) -> str:
    """What a Python prints that is started with these arguments, once it has ended.

    Raises:
        LlmstepError: It failed.
    """
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise LlmstepError(f"A process of the benchmark failed: {last}", hint="Run the same command by itself.")
    return done.stdout
