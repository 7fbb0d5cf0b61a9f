"""From what a model wrote to the text of a step: pure functions on strings, used by the templates."""

from __future__ import annotations

import re
from collections.abc import Iterable

_OPENING_FENCE = re.compile(r"```lean4?[^\S\n]*\n|\A\s*```[^\S\n]*\n")
_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")
THOUGHTS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis", "<|channel|>final<|message|>"),
)
"""What stands around a thought, in the notations of several families of models."""
THOUGHT_BEGINS = tuple(begin for begin, _ in THOUGHTS)
THOUGHT_ENDS = tuple(end for _, end in THOUGHTS)


def cut_at_first(text: str, stops: Iterable[str]) -> str:
    """`text` up to the earliest of `stops`; an unfinished stop at its end goes too (`omega\\n[/TA`)."""
    stops = tuple(stops)
    places = [place for place in (text.find(stop) for stop in stops) if place >= 0]
    if places:
        return text[: min(places)]
    shortest = text
    for stop in stops:
        for length in range(len(stop) - 1, 0, -1):
            fragment = stop[:length]
            if not fragment.isspace() and text.endswith(fragment):
                shortest = min(shortest, text[:-length], key=len)
    return shortest


def without_fence(text: str) -> str:
    """The inside of the first ``` block; when the text starts inside of one, what stands before its end."""
    opening = _OPENING_FENCE.search(text)
    if opening:
        text = text[opening.end() :]
    return cut_at_first(text, ["```"])


def without_thought(text: str, *, inside: bool = False) -> str:
    """`text` without the thought that some chat models write before they answer.

    A thought may lack its beginning, which some prompts end with, or its end, where the model was cut off: then there
    is no answer.

    Args:
        inside: The text begins within a thought.
    """
    for opening, closing in THOUGHTS:
        before, ends, behind = text.rpartition(closing)
        if ends:
            start = before.find(opening)
            return without_thought((before[:start] if start >= 0 and before[:start].strip() else "") + behind)
        if opening in text and not inside:
            return text[: text.index(opening)]
    return "" if inside else text


def has_thought(text: str) -> bool:
    """Whether a thought, or a part of one, stands in a text."""
    return any(mark in text for pair in THOUGHTS for mark in pair)


def without_lead(text: str, leads: Iterable[str]) -> str:
    """`text` without the first of `leads` that it starts with, blanks before it ignored."""
    bare = text.lstrip()
    for lead in leads:
        if bare.startswith(lead):
            return bare[len(lead) :]
    return text


def dedent(text: str) -> str:
    """A step without blanks around it and without the first line's indentation on the lines that follow.

    Indentation relative to the first line is part of a tactic block and stays.
    """
    lines = _BLANK_LINES.sub("", text).rstrip().split("\n")
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    return "\n".join(line.removeprefix(indent).rstrip() for line in lines).strip()
