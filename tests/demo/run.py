"""`make demo`: suggestions from the bundled starter model for real goals, on a real Lean server.

Runs the same command that a user runs, `llmstep suggest FILE --line L --column C`, at places of `Demo.lean`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).resolve().parent / "Demo.lean"
PLACES = [(4, 3), (7, 10), (10, 3), (13, 3)]
"""Line and column, counted from 1: three times at a `sorry`, once behind a tactic."""


def main() -> int:
    """Show the file, then the answer at each place; the exit status is that of the first failure."""
    lean = Path(sys.argv[1]).resolve()
    text = DEMO.read_text(encoding="utf-8")
    print(f"{DEMO.name}:\n")
    for number, line in enumerate(text.split("\n"), start=1):
        print(f"{number:3} | {line}")
    for line, column in PLACES:
        print(f"\n$ llmstep suggest {DEMO.name} --line {line} --column {column}", flush=True)
        command = [sys.executable, "-m", "llmstep", "suggest", str(DEMO), "--model", "starter"]
        place = ["--line", str(line), "--column", str(column), "--lean", str(lean)]
        status = subprocess.run([*command, *place]).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
