"""One loaded model answering asks: what a thought may take beside the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from llmstep.catalog.templates import get_template
from llmstep.engine.decode import answer
from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from llmstep.engine.loaded import LoadedModel

ASK = PromptInput(Goal("p q : Prop\nh : p\n⊢ p ∨ q"))


@pytest.mark.parametrize("models", ["loaded_models", "own_models"])
@pytest.mark.parametrize(("inside", "longest"), [(True, 12), (False, 4)])
def test_a_thought_and_a_step_have_limits_of_their_own(
    request: pytest.FixtureRequest, models: str, inside: bool, longest: int
) -> None:
    """Random weights end no thought: one that the prompt begins takes what a thought may take, and no more."""
    loaded: LoadedModel = attrs.evolve(request.getfixturevalue(models)["neox"], end_ids=frozenset())
    template = attrs.evolve(
        get_template("instruct"),
        text="{goal}{prefix}",
        own_turns=False,
        thinking_tokens=12,
        in_thought=inside,
        stops=(),
    )
    steps = [0]
    sampling = SamplingParams(3, 1.0, 1.0, 4, seed=3)
    made = answer(loaded, template, ASK, sampling, progress=lambda update: steps.append(update.done))
    assert made.drawn == 3
    assert max(steps) == longest
    if inside:
        assert made.candidates == []
        assert made.endings == (
            "3 cut off at the limit of tokens, 3 with a thought and no step (raise llmstep.maxThinkingTokens)"
        )
    else:
        assert {candidate.tokens for candidate in made.candidates} == {4}
