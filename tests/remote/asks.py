"""What the tests of servers ask, and how they read the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.types import Goal, PromptInput, SamplingParams

if TYPE_CHECKING:
    from llmstep.engine.interface import Generation

ASK = PromptInput(Goal("n : Nat\nh : 0 < n\n⊢ n ≠ 0", ("case b\n⊢ True",)))

SIX = SamplingParams(6, 0.8, 0.95, 50, 3)


def scored(answer: Generation) -> list[tuple[str, float | None]]:
    return [(each.text, each.score) for each in answer.candidates]
