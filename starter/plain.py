"""Pairs as the model sees them: the goal's names plain, and new hypotheses numbered on from those of the goal.

What a step calls its new hypotheses cannot be foreseen from a goal with plain names, and a model that has to guess it
spreads its probability over many spellings of one step.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from llmstep.catalog.local_names import LocalNames, local_names, with_subscripts

if TYPE_CHECKING:
    from starter.lean_run import Pair

_WORD = re.compile(r"(?<![\w.'✝])[^\W\d][\w'!?]*")
_NEW = re.compile(r"h(?!ave$)[\w']*")
"""What a proof calls a hypothesis that it brings in: `h`, `hp`, `h₁`. No tactic or lemma in use begins like this."""


def plain_pair(pair: Pair) -> Pair | None:
    """The pair with plain names; None where another name of its step would mean a local thing then."""
    plain = dict(local_names(pair.goal).plain)
    known = set(plain.values())
    numbered = (name for name in with_subscripts("h₁") if name not in known)
    for word in _WORD.findall(pair.tactic):
        if word not in plain and _NEW.fullmatch(word):
            plain[word] = next(numbered)
        elif word not in plain and word in known:
            return None
    names = LocalNames(plain)
    return replace(pair, goal=names.hidden(pair.goal), tactic=names.hidden_step(pair.tactic))
