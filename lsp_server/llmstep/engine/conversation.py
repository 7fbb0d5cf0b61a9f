"""What a model answers in a conversation: a text of its own making, as whole-proof models are asked for."""

from __future__ import annotations

from typing import Literal

import attrs

Turn = tuple[str, str]
"""A role (`system`, `user` or `assistant`) and what it says."""


@attrs.frozen
class Answer:
    """One answer."""

    text: str
    """Without a thought that the server sent apart; one inside of the text is still there."""
    finish: Literal["stop", "length"]
    """`length`: it was cut off, by its limit or because it went on far beyond that."""
    tokens: int
    """Number of tokens written, a thought included; of a server that does not count, the pieces that came."""
    model: str
    """As in `Generation`."""
    thought: str = ""
    """What the server gave apart from the text."""
