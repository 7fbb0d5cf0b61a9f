"""The whole way: LeanDojo's file, pairs, a fine-tuned model, and a step that Lean accepts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from command_line import run

if TYPE_CHECKING:
    from pathlib import Path

ATOMS = "pqrsabcd"
LEAN = """\
theorem swap (x y : Prop) (hx : x) (hy : y) : y := by
  sorry
"""


@pytest.mark.lean
@pytest.mark.slow
def test_a_benchmark_becomes_a_model_whose_steps_lean_accepts(tmp_path: Path, lean: Path) -> None:
    """The starter says `exact`; the benchmark's authors always write `apply`."""
    theorems = []
    for a in ATOMS:
        for b in ATOMS.replace(a, ""):
            state = f"{a} {b} : Prop\nh{a} : {a}\nh{b} : {b}\n⊢ {b}"
            traced = {"tactic": f"apply h{b}", "annotated_tactic": ["", []], "state_before": state}
            theorems.append(
                {
                    "url": "https://example.org",
                    "commit": "0",
                    "file_path": "A.lean",
                    "full_name": f"right_{a}{b}",
                    "start": [1, 1],
                    "end": [2, 9],
                    "traced_tactics": [{**traced, "state_after": "no goals"}],
                }
            )
    (tmp_path / "benchmark.json").write_text(json.dumps(theorems), encoding="utf-8")

    said = run("data", tmp_path / "benchmark.json", "--out", tmp_path / "pairs", "--valid-share", "0.2")
    held = len((tmp_path / "pairs" / "valid.jsonl").read_text(encoding="utf-8").splitlines())
    assert f"train: {len(theorems) - held} pairs" in said

    model = tmp_path / "model"
    options = ["--max-steps", 24, "--batch-size", 8, "--learning-rate", 1e-3, "--warmup-steps", 2, "--no-progress"]
    files = ["--train", tmp_path / "pairs" / "train.jsonl", "--valid", tmp_path / "pairs" / "valid.jsonl"]
    said = run("train", "--base", "starter", "--out", model, *files, *options, "--licence", "mit", "--threads", 1)
    assert "24 steps" in said
    report = json.loads((model / "checkpoints" / "training.json").read_text())
    first = next(record["eval_loss"] for record in report["history"] if "eval_loss" in record)
    assert report["valid_loss"] <= first < 1
    assert report["valid_pairs"] == held

    file = tmp_path / "Swap.lean"
    file.write_text(LEAN, encoding="utf-8")
    place = [file, "--line", 2, "--column", 3, "--lean", lean, "--temperature", 0, "--device", "cpu", "--json"]
    place.append("--no-automation")
    steps = {
        chosen: [(each["text"], each["verdict"]) for each in json.loads(answer)["suggestions"]]
        for chosen, answer in ((each, run("suggest", *place, "--model", each)) for each in (model, "starter"))
    }
    assert steps[model] == [("apply hy", "closes")]
    assert steps["starter"] != steps[model]

    card = (model / "README.md").read_text(encoding="utf-8")
    header, body = card.removeprefix("---\n").split("\n---\n", 1)
    assert header == (
        "license: mit\nlibrary_name: transformers\npipeline_tag: text-generation\n"
        "tags:\n- lean4\n- theorem-proving\n- llmstep"
    )
    for line in (
        "| base | starter |",
        "| method | all weights |",
        f"| pairs | {len(theorems) - held} from train.jsonl |",
        "| learning rate | 0.001 |",
        f"| held-out loss | {report['valid_loss']:.3f} on {held} pairs from valid.jsonl |",
        f"| training loss | {report['train_loss']:.3f} |",
        "| prompt template | `starter` |",
        "llmstep suggest File.lean --line 4 --column 3 --model ./model",
        "[GOAL]p q : Prop\nh₁ : p\nh₂ : q\n⊢ p ∧ q[PROOFSTEP]",
        "```text\nexact ⟨h₁, h₂⟩\n```",
    ):
        assert line in body
