"""The table of docs/proof-search.md: the kit's theorems by search, by write and repair, by sketch.

    python tests/proofs/figures.py FOLDER [--only search|write|sketch] [--every N]

Results are kept in FOLDER, so that a run goes on where it stopped. The writer is a script, not a model: it knows the
proofs that the search has found, and spoils them. What it shows is how much of typical mistakes is repaired.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
from pathlib import Path

import attrs

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripted_model import Reply, ScriptedModel

from llmstep.bench.results import known_results
from llmstep.bench.search import Result, method_record, run_search, summarise
from llmstep.bench.theorems import Theorem, read_theorems
from llmstep.engine.router import EngineRouter
from llmstep.lean.workspace import LeanWorkspace
from llmstep.proofs.prover import WholeProver
from llmstep.search.attempt import Plan
from llmstep.settings import LeanSettings, RemoteSettings, Settings
from llmstep.types import SamplingParams

ROOT = Path(__file__).parents[2]
LEAN = LeanSettings(command=(str(ROOT / "build" / "lean" / "bin" / "lean"), "--server", "-Dserver.reportDelayMs=0"))
SEARCH = Plan(strategy="search", expansions=32, sampling=SamplingParams(8, seed=0), patience=0)
GOOD_AT_FIRST, GOOD_LATER = 0.25, 0.5
"""How often the script makes no mistake."""


class Writer:
    """Writes the proofs that it knows, with a mistake in most of them."""

    def __init__(self, theorems: list[Theorem], proofs: dict[str, str]) -> None:
        self._proofs = {_head(theorem.text): proofs.get(theorem.name) for theorem in theorems}
        self._answers: dict[str, int] = {}
        self.good_at_first = 0

    def __call__(self, messages: list[dict[str, str]], number: int) -> Reply:
        said = messages[0]["content"] + messages[-1]["content"]
        head = next((head for head in self._proofs if head in said), "")
        before = self._answers.get(head, 0)
        self._answers[head] = before + 1
        proof = self._proofs.get(head)
        chance = random.Random(f"{head} {before}")
        if proof is None:
            return _fenced(head, "constructor\n· simp_all\n· sorry")
        if chance.random() < (GOOD_LATER if before else GOOD_AT_FIRST):
            self.good_at_first += not before
            return _fenced(head, proof)
        return _spoilt(head, proof, chance)


def _spoilt(head: str, proof: str, chance: random.Random) -> Reply:
    """One of six mistakes."""
    lines = proof.split("\n")
    kind = chance.randrange(6)
    if kind == 0:  # a wrong name
        return _fenced(head, re.sub(r"\b(h\w*|Or\.\w+|And\.\w+|Nat\.\w+|simp_all)\b", r"\1_wrong", proof, count=1))
    if kind == 1:  # the last step is missing
        return _fenced(head, "\n".join(lines[:-1]) or "skip")
    if kind == 2:  # a gap
        return _fenced(head, "\n".join([*lines[:-1], "sorry"]))
    if kind == 3:  # another statement
        return _fenced(re.sub(r":[^:]*\Z", ": True", head), "trivial")
    if kind == 4:  # cut off
        whole = _fenced(head, proof).text
        return Reply(whole[: len(whole) * 2 // 3], finish="length")
    return Reply("This follows easily from the hypotheses.")  # talk alone


def _fenced(head: str, proof: str) -> Reply:
    body = "\n".join("  " + line for line in proof.split("\n"))
    return Reply(f"The idea is simple.\n\n```lean4\n{head} := by\n{body}\n```\nThis closes the goal.")


def _head(text: str) -> str:
    return text[text.index("theorem") :].partition(" := by")[0]


async def measure(name: str, plan: Plan, settings: Settings, theorems: list[Theorem], folder: Path) -> list[Result]:
    engine, lean = EngineRouter(settings), LeanWorkspace(settings)
    record = method_record(plan, settings.model)
    try:
        return await run_search(theorems, WholeProver(engine, lean), plan, record, folder / f"{name}.jsonl")
    finally:
        await lean.close()
        await engine.close()


def told(name: str, results: list[Result]) -> str:
    summary = summarise(results)
    low, high = (round(100 * bound) for bound in summary.interval)
    partial = sum(result.outcome == "partial" for result in results)
    rounds = sum(result.rounds for result in results)
    return (
        f"| {name} | {summary.proved} of {summary.theorems} ({100 * summary.rate:.0f} %, {low} to {high}) | {partial} |"
        f" {rounds} | {summary.expansions} | {summary.seconds:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=["search", "write", "sketch"])
    parser.add_argument("--every", type=int, default=1)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    theorems = read_theorems(ROOT / "tests" / "bench" / "theorems.jsonl", given.folder)[:: given.every]
    own = Settings(model="starter", device="cpu", lean=LEAN)
    if given.only in (None, "search"):
        print(told("search", asyncio.run(measure("search", SEARCH, own, theorems, given.folder))), flush=True)
    if given.only in (None, "sketch"):
        plan = attrs.evolve(SEARCH, strategy="sketch")
        print(told("sketch", asyncio.run(measure("sketch", plan, own, theorems, given.folder))), flush=True)
    if given.only in (None, "write"):
        known = known_results(given.folder / "search.jsonl", method_record(SEARCH, "starter"), Result)
        writer = Writer(theorems, {name: result.proof for name, result in known.items() if result.proof})
        with ScriptedModel(writer) as model:
            settings = attrs.evolve(own, engine="openai", remote=RemoteSettings(url=model.url))
            plan = attrs.evolve(SEARCH, strategy="write", rounds=3)
            results = asyncio.run(measure("write", plan, settings, theorems, given.folder))
        print(told("write", results), flush=True)
        print(json.dumps({"answers without a mistake at first": writer.good_at_first}))


if __name__ == "__main__":
    main()
