"""How good a starter model is: first steps for held-out statements, judged by the real Lean (`llmstep bench quality`).

As a program: ``python -m starter.evaluate MODEL --lean LEAN --test test.jsonl`` prints JSON.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from llmstep.errors import LlmstepError

if TYPE_CHECKING:
    from collections.abc import Sequence

STATEMENTS = 50


def held_out(test: Path, count: int, seed: int) -> list[dict[str, str]]:
    """So many statements of the generator's test part as records of `llmstep bench`, its families in turn."""
    by_family: dict[str, dict[str, None]] = {}
    with test.open(encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            by_family.setdefault(record["family"], {})[record["theorem"]] = None
    rng = Random(seed)
    piles = {family: rng.sample(list(found), len(found)) for family, found in sorted(by_family.items())}
    chosen: list[tuple[str, str]] = []
    while len(chosen) < count and any(piles.values()):
        chosen += [(family, pile.pop()) for family, pile in piles.items() if pile]
    return [
        {"name": f"{family}_{number}", "statement": statement, "source": family}
        for number, (family, statement) in enumerate(chosen[:count])
    ]


def evaluate_model(model: Path | str, lean: Sequence[str], records: Sequence[dict[str, str]]) -> dict[str, Any]:
    """The figures of `llmstep bench quality --json` for the model alone.

    Raises:
        LlmstepError: It could not be run.
    """
    with tempfile.TemporaryDirectory(prefix="llmstep-") as folder:
        goals = Path(folder) / "goals.jsonl"
        goals.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        command = [sys.executable, "-m", "llmstep", "bench", "quality", "--goals", str(goals), "--source", "model"]
        command += ["--model", str(model), "--lean", shlex.join(lean), "--lean-project", folder, "--json"]
        run = subprocess.run([*command, "--out", f"{folder}/out.jsonl"], capture_output=True, text=True, check=False)
    if run.returncode:
        raise LlmstepError(f"The model could not be measured: {run.stderr[-300:]}", hint="Run the command again.")
    figures: dict[str, Any] = json.loads(run.stdout)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--lean", default="lean", help="command that runs Lean")
    parser.add_argument("--test", type=Path, required=True, help="test.jsonl of the generator")
    parser.add_argument("--count", type=int, default=STATEMENTS)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    records = held_out(given.test, given.count, given.seed)
    print(json.dumps(evaluate_model(given.model, shlex.split(given.lean), records), indent=1))


if __name__ == "__main__":
    main()
