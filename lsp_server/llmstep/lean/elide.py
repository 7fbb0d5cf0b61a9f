"""Finished proofs above a goal as `sorry`: what stands below sees of a theorem only its statement.

Lean reports every step of every proof of a document again for each version, so that without this a check would cost
more with every proof above it.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator
from typing import Final

from llmstep.lean.commands import find_commands
from llmstep.lean.layout import MAX_TOKENS
from llmstep.lean.masking import blanks
from llmstep.lean.text import masked_text, unmarked
from llmstep.lean.tokens import outside, tokenize

_THEOREMS: Final = frozenset({"theorem", "lemma", "example"})
_STAND_IN: Final = "sorry"
_BLANK: Final = " " * len(_STAND_IN)
_OTHER_SHAPES: Final = frozenset({"let", "have", "show", "fun", "λ", "match", "if", "do", "by", "where", "|", "sorry"})
"""With one of these in a statement, or an alternative in place of a proof, text hides where the proof begins."""
_TRAILER: Final = re.compile(r"\b(?:where|termination_by|decreasing_by|deriving)\b")
"""Begins what stands behind a proof and belongs to the theorem."""
_WIDE: Final = re.compile(rf"[^\r\n]{{{len(_STAND_IN)}}}")
_VARIABLE: Final = re.compile(r"^[ \t]*variables?\b", re.MULTILINE)
_STEP_END: Final = re.compile(r"[\r\n;]|<;>")
_DEFINITIONAL: Final = frozenset({"intro", "intros", "show", "change", "unfold", "delta", "dsimp"})
_RFL: Final = re.compile(
    r"(?:(?:exact|apply|refine) +)?(?:(?:fun|λ)[^=↦]*(?:=>|↦) *)?@?(?:\w+\.)*(?:rfl|refl)\b[ \w.]*"
)
"""`rfl`, `exact rfl`, `exact fun _ => Iff.rfl`, `exact Eq.refl _`."""
_LINE: Final = re.compile(r"^([ \t]*)\S", re.MULTILINE)


def elide(text: str, end: int, *, variables_by_proof: bool = False) -> str:
    """`text` with `sorry` for each proof by tactics of a theorem that ends before the offset `end`.

    Every offset and every line stays where it is. A theorem whose proof cannot be found by text alone keeps it, and
    so does one in a `mutual` block, whose proofs may need each other, and one that holds by `rfl`: older
    versions of Lean see by its proof how `dsimp` may use it.

    Args:
        variables_by_proof: A `variable` may enter a theorem by its proof alone, so that theorems below one keep theirs.
    """
    text = unmarked(text)
    return _elided(text[:end], masked_text(text)[:end], variables_by_proof) + text[end:]


@functools.lru_cache(maxsize=4)
def _elided(text: str, masked: str, variables_by_proof: bool) -> str:
    variable = _VARIABLE.search(masked) if variables_by_proof else None
    parts: list[str] = []
    done = 0
    for start, end in _proofs(masked):
        if variable is not None and variable.start() < start:
            break
        parts += [text[done:start], blanks(text[start:end]).replace(_BLANK, _STAND_IN, 1)]
        done = end
    return "".join(parts) + text[done:]


def _proofs(masked: str) -> Iterator[tuple[int, int]]:
    """Extents of the proofs, from `by` to the last of their characters."""
    commands = find_commands(masked)
    limits = [*(command.start for command in commands[1:]), len(masked)]
    for command, limit in zip(commands, limits, strict=False):
        if command.keyword not in _THEOREMS or command.mutual:
            continue
        first, named = command.start, command.keyword != "example"
        if proof := _proof(masked[first:limit], command.end - first, command.margin, named):
            yield first + proof[0], first + proof[1]


def _is_by_rfl(proof: str) -> bool:
    """Whether the term that a proof makes may be `rfl`, below binders at most."""
    *steps, last = [part.strip(" \t()·") for part in _STEP_END.split(proof[2:]) if part.strip(" \t()·")] or [""]
    return bool(_RFL.fullmatch(last)) and all(step.split()[0] in _DEFINITIONAL for step in steps)


@functools.lru_cache(maxsize=8192)
def _proof(theorem: str, keyword_end: int, margin: int, named: bool) -> tuple[int, int] | None:
    """Extent of the proof in a theorem's own text, which most edits of a file leave as it is; None where it stays."""
    start, end = _proof_start(theorem, keyword_end), len(theorem.rstrip())
    if start is None or _TRAILER.search(theorem, start) or (named and _is_by_rfl(theorem[start:end])):
        return None
    if any(len(line[1]) <= margin for line in _LINE.finditer(theorem, start)):
        return None  # a command that is not known here, or a proof of an unusual shape
    return (start, end) if _WIDE.search(theorem, start, end) else None  # else no line has room


def _proof_start(masked: str, start: int) -> int | None:
    """Offset of the `by` behind the `:=` of a theorem whose keyword ends at `start`."""
    tokens = itertools.islice(tokenize(masked, start), MAX_TOKENS)
    for token in outside(tokens):
        if token.text in _OTHER_SHAPES:
            return None
        if token.text == ":=":
            proof = next(tokens, None)
            return proof.start if proof and proof.text == "by" else None
    return None
