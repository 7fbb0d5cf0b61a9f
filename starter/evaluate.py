"""How good a starter model is: for held-out goals, what the real Lean says about ten sampled first steps.

As a program: ``python -m starter.evaluate MODEL --lean LEAN --test test.jsonl`` prints JSON.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from llmstep.catalog.templates import get_template
from llmstep.types import Goal, PromptInput
from starter.judge import Trial, first_goals, judge
from starter.textbook import TEXTBOOK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstep.catalog.template import PromptTemplate

STARTER = get_template("starter")

GENERATED_GOALS = 50
SAMPLES = 10
TEMPERATURE = 0.7


def sample_steps(
    model: Any, tokenizer: Any, goal: str, samples: int, seed: int, template: PromptTemplate = STARTER
) -> list[str]:
    """Distinct tactics among ``samples`` drawn at temperature 0.7, in the order in which they came."""
    import torch

    torch.manual_seed(seed)
    ask = PromptInput(Goal.from_state(goal))
    inputs = tokenizer(template.prompt(ask), return_tensors="pt")
    with torch.inference_mode():
        drawn = model.generate(
            **inputs,
            do_sample=True,
            temperature=TEMPERATURE,
            top_p=1.0,
            top_k=0,
            num_return_sequences=samples,
            max_new_tokens=64,
            pad_token_id=tokenizer.eos_token_id,
        )
    texts = tokenizer.batch_decode(drawn[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return list(dict.fromkeys(template.shown(ask, text).strip() for text in texts))


def held_out_statements(test: Path, count: int, seed: int) -> list[tuple[str, str]]:
    """``count`` pairs of family and statement from the theorems of the test file, families in turn."""
    by_family: dict[str, dict[str, None]] = {}
    with test.open(encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            by_family.setdefault(record["family"], {})[record["theorem"]] = None
    rng = Random(seed)
    piles = {family: rng.sample(list(found), len(found)) for family, found in sorted(by_family.items())}
    chosen: list[tuple[str, str]] = []
    while len(chosen) < count and any(piles.values()):
        chosen += [(family, pile.pop()) for family, pile in piles.items() if pile]
    return chosen[:count]


def evaluate_model(
    folder: Path, lean: Sequence[str], test: Path | None, count: int = GENERATED_GOALS, seed: int = 1
) -> dict[str, Any]:
    """Figures by source (``generated``, ``textbook``) and family, and the steps themselves."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()
    sources = {"textbook": [(family, s) for family, statements in TEXTBOOK.items() for s in statements]}
    if test is not None:
        sources = {"generated": held_out_statements(test, count, seed), **sources}
    report: dict[str, Any] = {"samples": SAMPLES, "temperature": TEMPERATURE, "seed": seed}
    for source, statements in sources.items():
        goals = first_goals(lean, [statement for _, statement in statements])
        trials = [
            Trial(statement, tactic)
            for number, ((_, statement), goal) in enumerate(zip(statements, goals, strict=True))
            for tactic in sample_steps(model, tokenizer, goal, SAMPLES, seed * 1000 + number)
        ]
        verdicts = judge(lean, trials)
        steps: dict[str, list[tuple[str, str]]] = {statement: [] for _, statement in statements}
        for trial, verdict in zip(trials, verdicts, strict=True):
            steps[trial.statement].append((trial.tactic, verdict))
        families = dict.fromkeys(family for family, _ in statements)
        report[source] = {
            **_figures([steps[s] for _, s in statements]),
            "families": {f: _figures([steps[s] for g, s in statements if g == f]) for f in families},
            "steps": {goal: steps[s] for (_, s), goal in zip(statements, goals, strict=True)},
        }
    return report


def _figures(goals: list[list[tuple[str, str]]]) -> dict[str, Any]:
    verdicts = [verdict for steps in goals for _, verdict in steps]
    accepted = sum(verdict != "invalid" for verdict in verdicts)
    return {
        "goals": len(goals),
        "with_accepted_step": sum(any(v != "invalid" for _, v in steps) for steps in goals),
        "with_closing_step": sum(any(v == "closes" for _, v in steps) for steps in goals),
        "distinct_steps": len(verdicts),
        "accepted_steps": accepted,
        "share_accepted": round(accepted / max(1, len(verdicts)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--lean", default="lean", help="command that runs Lean")
    parser.add_argument("--test", type=Path, help="test.jsonl of the generator")
    parser.add_argument("--count", type=int, default=GENERATED_GOALS)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    report = evaluate_model(given.model, shlex.split(given.lean), given.test, given.count, given.seed)
    json.dump(report, sys.stdout, ensure_ascii=False, indent=1)
    print()


if __name__ == "__main__":
    main()
