"""Expert iteration: statements without proofs, proved by the model itself through llmstep's own search.

What Lean accepts becomes pairs in a shard of its own, from which the next training learns. A round that was broken off
goes on where it was. As a program: ``python -m starter.iterate --lean LEAN --model MODEL --round 1``.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from llmstep.errors import LlmstepError
from llmstep.whole_file import whole_file
from starter import first_order, propositional, short
from starter.dataset import part_of
from starter.formulas import show
from starter.lean_run import checked_pairs
from starter.numbers import in_a_row
from starter.script import Theorem

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPANSIONS = 32


def open_statements(seed: int, count: int) -> list[str]:
    """Distinct random statements, of which nobody knows whether they hold; none of the held-out parts."""
    rng = Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        statement, goal = rng.choice((propositional.stated, first_order.stated, short.stated))(rng)
        text = f"{statement.binders()} : {show(goal)}"
        if part_of(text) == "train":
            found[text] = None
    return list(found)


def proved(results: Path, statements: Sequence[str]) -> list[Theorem]:
    """The statements with the proofs that a search has written to a file of results."""
    theorems = []
    lines = results.read_text(encoding="utf-8").splitlines(keepends=True) if results.exists() else []
    for record in map(json.loads, (line for line in lines if line.endswith("\n"))):
        steps = (record["proof"] or "").splitlines()
        # A step of several lines could not be told from several steps.
        if steps and all(step and not step[0].isspace() for step in steps):
            theorems.append(Theorem("found", statements[int(record["name"])], in_a_row(*steps)))
    return theorems


def make_round(
    lean: Sequence[str], model: str, folder: Path, number: int, count: int, seconds: float | None = None
) -> tuple[int, int]:
    """One round: draws, proves, and writes ``shards/found-….jsonl`` below ``folder``.

    Args:
        seconds: How long proofs are looked for; None until each statement had its turn.

    Returns:
        The number of statements that were proved, and of the pairs that came of them.

    Raises:
        LlmstepError: The search could not be run.
    """
    statements = open_statements(1_000_000 + number, count)
    work = folder / "rounds"
    work.mkdir(parents=True, exist_ok=True)
    asked, results = work / f"{number}.jsonl", work / f"{number}.results.jsonl"
    with whole_file(asked) as part:
        lines = (json.dumps({"name": str(n), "statement": text}) + "\n" for n, text in enumerate(statements))
        part.write_text("".join(lines), encoding="utf-8")
    search = [sys.executable, "-m", "llmstep", "bench", "search", "--theorems", str(asked), "--lean-project", str(work)]
    search += ["--lean", shlex.join(lean), "--model", model, "--out", str(results), "--tactics", "model"]
    search += ["--expansions", str(EXPANSIONS), "--count", "16", "--timeout", "20", "--seed", str(number)]
    if _ends_with(subprocess.Popen(search), seconds):
        raise LlmstepError("The search for proofs ended early.", hint="Run the same command again; it goes on.")
    theorems = proved(results, statements)
    pairs, _ = checked_pairs(lean, theorems)
    with whole_file(folder / "shards" / f"found-{number:05d}.jsonl") as part:
        part.write_text("".join(json.dumps(asdict(p), ensure_ascii=False) + "\n" for p in pairs), encoding="utf-8")
    return len(theorems), len(pairs)


def _ends_with(run: subprocess.Popen[bytes], seconds: float | None) -> int:
    """The status that a process ends with; 0 for one that is ended after so many seconds."""
    with run:
        try:
            return run.wait(seconds)
        except subprocess.TimeoutExpired:
            run.terminate()
            return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lean", default="lean", help="command that runs Lean")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--out", type=Path, default=Path("build/starter"))
    parser.add_argument("--round", type=int, default=1, dest="number")
    parser.add_argument("--statements", type=int, default=300)
    parser.add_argument("--seconds", type=float, help="time for the search; what it has found by then counts")
    given = parser.parse_args()
    made, pairs = make_round(
        shlex.split(given.lean), given.model, given.out, given.number, given.statements, given.seconds
    )
    print(f"{made} of {given.statements} statements proved, {pairs} pairs")


if __name__ == "__main__":
    main()
