"""A tactic of Lean that is tried at a goal."""

from __future__ import annotations

import attrs


@attrs.frozen
class LeanTactic:
    """A tactic to try."""

    text: str
    chance: float
    """How likely it is to be the wanted step once Lean accepts it, from 0 to 1; the model's counterpart is the mean
    probability of its tokens."""
    search: bool = False
    """It proposes texts ("Try this: …"), and these are the candidates."""
