"""Candidates while the model still draws others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.catalog.resolve import ModelChoice
from llmstep.catalog.templates import get_template
from llmstep.engine.runner import Runner
from llmstep.settings import Settings
from llmstep.types import Candidate, Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from llmstep.engine.loaded import LoadedModel

ASK = PromptInput(Goal("p q : Prop\nh : p\n⊢ p ∨ q"), prefix="rw [")


def test_candidates_come_as_they_are_finished(loaded_models: dict[str, LoadedModel]) -> None:
    """Each text once, with the prefix, in the step that ends its first sample; at the end all are there."""
    template = get_template("pythia")
    runner = Runner(loaded_models["neox"], Settings(), ModelChoice("tiny", template), 0.0)
    told: list[tuple[int, Candidate]] = []
    steps = [0]
    drawn, candidates, how = runner.answer(
        template,
        ASK,
        SamplingParams(count=24, temperature=1.0, max_new_tokens=12, seed=3),
        progress=lambda update: steps.append(update.done),
        on_candidate=lambda candidate: told.append((steps[-1] + 1, candidate)),
    )
    assert drawn == 24
    assert how.endswith("cut off at the limit of tokens")
    texts = [candidate.text for _, candidate in told]
    assert len(texts) == len(set(texts))
    assert set(texts) == {candidate.text for candidate in candidates}
    assert all(text.startswith("rw [") for text in texts)
    assert all(candidate.tokens == step for step, candidate in told)
