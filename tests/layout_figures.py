"""Time per character of what reads text before Lean does: masks, commands, the layout of a declaration, the place.

    python tests/layout_figures.py     # prints the table of docs/reliability.md

Each text has a million characters of one nesting, and a theorem in front of it; the cursor is at its start, in its
middle or at its end, whichever takes longest. Figures are medians of five.
"""

from __future__ import annotations

import itertools
import platform
import re
import statistics
import time
from pathlib import Path
from typing import Final

from llmstep.lean.elide import elide
from llmstep.lean.insertion_points import find_insertion_points
from llmstep.lean.text import mask, position_at

NUMBERS: Final = itertools.count()
SIZE: Final = 1_000_000
UNITS: Final = {
    "`(`": "(",
    "`⟨`": "⟨",
    "`{`": "{",
    "`[`": "[",
    "`by `": "by ",
    "`by by by` in lines": "by by by\n  ",
    '`s!"{`': 's!"{',
    "`/-`": "/-",
    "`/- `": "/- ",
    "`·`": "·",
    "`· ` in lines": "  · \n",
    "`|`": "|",
    "`| x => `": "| x => ",
    "`case x =>` in lines": "  case x =>\n",
    "`case x => ` at the margin": "case x =>\n",
    "`@[`": "@[",
    "`@[` in lines": "@[\n",
    "`@[a] ` in lines": "@[a]\n",
    "`«`": "«",
    "`private` in lines": "private\n",
    "`fun x => (`": "fun x => (",
    "`first | `": "first | ",
    "`constructor <;> `": "constructor <;> ",
    "`conv => `": "conv => ",
    "`if h then `": "if h then ",
    "mixed": '(⟨[{by · | case x => s!"a" ',
    "one long line": "simp [foo, bar] at h; ",
    "a word in each line": "foo\n",
    "steps in lines": "  exact foo bar\n",
}
HEAD: Final = "theorem t (p : Prop) (hp : p) : p := by\n  "


def staircase(size: int) -> str:
    """`have : x := by` inside of itself, each deeper than the last, to the depth where lines are a hundred wide."""
    stairs = "".join(" " * (2 * depth) + "have : x := by\n" for depth in range(1, 50))
    return (stairs * (size // len(stairs) + 1))[:size]


def texts(size: int) -> dict[str, str]:
    """A text for each nesting."""
    found = {name: HEAD + (unit * (size // len(unit) + 1))[:size] for name, unit in UNITS.items()}
    return {**found, "staircase of `have`": HEAD + staircase(size)}


def never_seen(text: str) -> str:
    """The text behind a number of its own, so that nothing that was found in a text before is of use."""
    return f"--{next(NUMBERS)}\n{text}"


def place(text: str, offset: int) -> None:
    """What a code action does for a document that was never seen."""
    fresh = never_seen(text)
    find_insertion_points(fresh, position_at(fresh, offset + len(fresh) - len(text)))


def shadow(text: str) -> None:
    """What a check does before Lean is asked: proofs above the goal are elided."""
    fresh = never_seen(text)
    elide(fresh, len(fresh))


def seconds(work: object, *arguments: object, times: int = 5) -> float:
    assert callable(work)
    taken = []
    for _ in range(times):
        start = time.process_time()
        work(*arguments)
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def figures(size: int = SIZE, times: int = 5) -> dict[str, tuple[float, float, float]]:
    """For each nesting the seconds for the mask, for a place at the worst of three cursors, and for eliding."""
    found = {}
    for name, text in texts(size).items():
        cursors = (len(HEAD), len(text) // 2, len(text))
        worst = max(seconds(place, text, cursor, times=times) for cursor in cursors)
        found[name] = seconds(mask, text, times=times), worst, seconds(shadow, text, times=times)
    return found


def processor() -> str:
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    print(f"A million characters, milliseconds; {processor()}, Python {platform.python_version()}.\n")
    print("| text of | mask | place, with mask and layout | eliding |\n| --- | --- | --- | --- |")
    for name, row in figures().items():
        cell = name.replace("|", "\\|")
        print(f"| {cell} | {' | '.join(f'{1000 * each:.0f}' for each in row)} |")
