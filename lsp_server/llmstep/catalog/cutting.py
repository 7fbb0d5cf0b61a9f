"""Making a goal or a text shorter by rule, so that a prompt fits its model.

Everything here cuts strings, never token ids: a character is not split, and what is left is tokenized as a whole, as if
it had been written that way.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable

TURNSTILE = "⊢"

_ENTRY = re.compile(r"\n(?=\S)")


def cut_goal(state: str, fits: Callable[[str], bool]) -> str | None:
    """The longest form of a tactic state that fits; None when not even `⊢` does.

    What goes first: the goals behind the main one, last first; the hypotheses of the main goal, top first, as those
    next to `⊢` were introduced last; its `case` line; then the end of what is to be shown. A hypothesis goes with its
    continuation lines or stays.

    Args:
        state: Goals separated by blank lines, main first.
        fits: Whether a prompt with this state is short enough; a shorter state must not fit worse than a longer one.
    """
    main, *others = state.split("\n\n")
    entries = _ENTRY.split(main)
    target = next((i for i, entry in enumerate(entries) if entry.startswith(TURNSTILE)), len(entries) - 1)
    case = entries[:1] if target > 0 and entries[0].startswith("case ") else []
    hypotheses = entries[len(case) : target]
    shown = entries[target:]

    def form(step: int) -> str:
        """`state` after `step` cuts."""
        if step <= len(others):
            return "\n\n".join([main, *others[: len(others) - step]])
        dropped = step - len(others)
        return "\n".join([*(case if dropped <= len(hypotheses) else []), *hypotheses[dropped:], *shown])

    last = len(others) + len(hypotheses) + len(case)
    if not fits(form(last)):
        end = "\n".join(shown)
        least = len(TURNSTILE) if end.startswith(TURNSTILE) else 0
        length = _largest(least, len(end), lambda size: fits(end[:size].rstrip()))
        return None if length is None else end[:length].rstrip()
    step = last - (_largest(0, last, lambda back: fits(form(last - back))) or 0)
    return form(step)


def head(text: str, tokens: int, count: Callable[[str], int]) -> str:
    """The longest beginning of `text` that is at most `tokens` tokens long, found without tokenizing all of `text`."""
    return text[: _length(len(text), tokens, lambda size: count(text[:size]))]


def tail(text: str, tokens: int, count: Callable[[str], int]) -> str:
    """The longest end of `text` that is at most `tokens` tokens long."""
    size = len(text)
    return text[size - _length(size, tokens, lambda length: count(text[size - length :])) :]


def middle_out(text: str, tokens: int, count: Callable[[str], int]) -> str:
    """The beginning and the end of `text`, at most `tokens // 2` tokens each, with `...` between them."""
    half = tokens // 2
    return head(text, half, count) + "..." + tail(text, half, count)


def _length(maximum: int, tokens: int, count: Callable[[int], int]) -> int:
    """The largest number of characters up to `maximum` whose `count` of tokens is at most `tokens`.

    Texts are about equally dense everywhere, so the next guess lies on the line between the two nearest known counts;
    after a guess that gained little, the next one lies halfway, for texts that are not.
    """
    if tokens <= 0:
        return 0
    low, of_low = 0, 0
    high = min(maximum, 4 * tokens)  # a token has about four characters
    while (of_high := count(high)) <= tokens:
        if high == maximum:
            return maximum
        low, of_low, high = high, of_high, min(maximum, 2 * high)
    halve = False
    while high - low > 1:
        share = 0.5 if halve else (tokens + 0.5 - of_low) / (of_high - of_low)
        guess = min(max(low + int(share * (high - low)), low + 1), high - 1)
        of_guess = count(guess)
        if of_guess <= tokens:
            halve = guess - low < (high - low) // 4
            low, of_low = guess, of_guess
        else:
            halve = high - guess < (high - low) // 4
            high, of_high = guess, of_guess
    return low


def _largest(low: int, high: int, holds: Callable[[int], bool]) -> int | None:
    """The largest number in `low..high` for which `holds`, which fails above some number; None if there is none."""
    number = bisect.bisect_left(range(low, high + 1), True, key=lambda each: not holds(each))
    return low + number - 1 if number else None
