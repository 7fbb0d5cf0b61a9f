"""What came of the work at one goal, in words; the same in a terminal, an editor and a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.printable import counted

if TYPE_CHECKING:
    from llmstep.search.interface import Attempt

OUTCOMES = {
    "exhausted": "no state is left to expand",
    "expansions": "the limit of expansions is reached",
    "seconds": "the time limit is reached",
    "rounds": "no answer of the model is a proof",
    "tokens": "the limit of tokens is reached",
    "refused": "Lean refuses the proof that was found in the whole file",
    "partial": "goals are left",
}
"""Why there is no proof, in words."""


def outcome(found: Attempt) -> str:
    """What was found, without a full stop."""
    if found.proof is not None and found.rounds:
        return f"Found a proof in {counted(found.rounds, 'round')}"
    if found.proof is not None and found.strategy == "search":
        return f"Found a proof of {counted(len(found.steps or ()), 'step')}"
    if found.proof is not None:
        return "Found a proof"
    if found.partial is not None:
        return f"Proves it except for {counted(len(found.partial.goals), 'goal')}"
    if found.rounds:
        return f"No proof found in {counted(found.rounds, 'round')}"
    return f"No proof found in {found.expansions} expansions"


def effort(found: Attempt) -> str:
    """What it has cost, as parts of a sentence."""
    parts = [f"{counted(found.expansions, 'state')} expanded, {found.states} seen"] if found.expansions else []
    if found.rounds:
        parts.insert(0, f"{counted(found.rounds, 'round')}, {counted(found.tokens, 'token')}")
    return ", ".join([*parts, f"{found.seconds:.1f} s"])
