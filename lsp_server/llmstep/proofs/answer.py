"""The Lean code in what a model answers: thoughts, talk and fences around it are no part of it."""

from __future__ import annotations

import itertools
import re
from typing import Final

from llmstep.catalog.cleaning import without_thought
from llmstep.lean.step_words import KNOWN_STEPS

_MAX_BLOCKS: Final = 4
_FENCE: Final = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([\w.+-]*)[^\n]*$", re.MULTILINE)
_LANGUAGES: Final = frozenset({"", "lean", "lean4", "lean3", "tactic", "tactics", "text", "proof"})
_DECLARES: Final = re.compile(r"(?:@\[|(?:private|protected|noncomputable)\s+)*(?:theorem|lemma|example|import|open)\b")
_THEOREM: Final = re.compile(r"^\s*(?:theorem|lemma|example)\b", re.MULTILINE)
_WORD: Final = re.compile(r"[\w'!?]+|[·.:|(⟨]")
_MARKS: Final = re.compile(r"<\|(?:im_end|endoftext|eot_id|end)\|>|<｜end▁of▁sentence｜>|</s>")
_BLANKS: Final = {ord(character): " " for character in "\u00a0\u2002\u2003\u2007\u2009\u202f\u3000"} | {
    ord(character): None for character in "\ufeff\u200b\u200c\u200d\u2060"
}
"""Blanks that Lean does not know, and characters that show nothing."""


def code_blocks(answer: str) -> list[str]:
    """The blocks of Lean code in an answer, the likeliest to be the proof first: the last one with a whole theorem.

    A thought without an opening tag, one that is cut off, and a fence that is not closed are distinguished; without
    fences, the lines count that look like Lean.
    """
    text = visible(answer)
    blocks = _fenced(text) or [bare for bare in [_bare(text)] if bare]
    blocks.reverse()
    likeliest = sorted(blocks, key=lambda block: _THEOREM.search(block) is None)
    return list(dict.fromkeys(likeliest))[:_MAX_BLOCKS]


def visible(answer: str) -> str:
    """An answer without its thought, with line breaks and blanks as Lean knows them."""
    text = answer.replace("\r\n", "\n").replace("\r", "\n").translate(_BLANKS)
    text = without_thought(text)
    mark = _MARKS.search(text)
    return text[: mark.start()] if mark else text


def _fenced(text: str) -> list[str]:
    blocks: list[tuple[str, str]] = []
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence[1][0] == opened[1][0] and len(fence[1]) >= len(opened[1]) and not fence[2]:
            blocks.append((opened[2], text[opened.end() : fence.start()]))
            opened = None
    if opened is not None:  # cut off
        blocks.append((opened[2], text[opened.end() :]))
    return [body.strip("\n").rstrip() for language, body in blocks if body.strip() and language.lower() in _LANGUAGES]


def _bare(text: str) -> str:
    """The lines that look like Lean, from the first of them to the last that belongs to it."""
    lines = text.strip("\n").replace("`", "").split("\n")
    first = next((index for index, line in enumerate(lines) if _looks_like_lean(line)), None)
    if first is None:
        return ""
    belong = itertools.takewhile(
        lambda line: not line.strip() or line[:1].isspace() or _looks_like_lean(line), lines[first:]
    )
    return "\n".join(belong).rstrip()


def _looks_like_lean(line: str) -> bool:
    """Whether a line begins like a declaration or a step, and does not end like a sentence."""
    bare = line.strip()
    if _DECLARES.match(bare):
        return True
    word = _WORD.match(bare)
    if word is None or bare.endswith((".", "!", "?")) or (bare.endswith(":") and not bare.endswith("by:")):
        return False
    return word[0] in KNOWN_STEPS or word[0] in {"by", "·", "|", "⟨"} or bare.startswith(":=")
