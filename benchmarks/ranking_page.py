"""The page and the picture on the order of suggestions."""

from __future__ import annotations

import statistics
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ranking import by_statement, first_right, leaving, pairs_in_order
from llmstep.bench.statistics import wilson
from llmstep.ranking import ordered
from llmstep.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.ranking import Assessment, Tried

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "ranking.md"
PICTURE = ROOT / "docs" / "images" / "reliability.svg"
WORST = 10
_ACCEPTED = [verdict for verdict in Verdict if verdict.accepted]
_SIDE, _EDGE = 300, 44

_PAGE = """\
# The order of suggestions

This page is written by `python -m benchmarks ranking`, which also writes `lsp_server/llmstep/ranking.json`.

Steps that close the goal come first. Of these, the likelier one comes first, and each further line or word counts
against the longer one, so that `omega` stands before twelve lines of `rw`. Steps that leave goals follow, by the chance
that the goals they leave can be proved. That chance is a logistic function of what kind of tactic the step begins with
(one that introduces, takes apart, computes, does induction, or chooses, so that something may be lost), whether there
are several in a row, the tactic's own chance or the model's log-probability of the step, the source, the number of
goals that it adds, and how much longer the goals become. Unchecked steps follow by the model's score.

## How good the chance is

{statements} statements, the model `{model}` (10 samples) and Lean's own tactics, on the Lean of the tests. A step that
leaves goals counts as right when a search of 6 expansions proves what it leaves; the search is short, so that some
right steps count as wrong. Every prediction is by weights that were fitted on other statements (five parts).

![Predicted chance against the share of right steps](images/reliability.svg)

| predicted chance | steps | mean prediction | share of right steps |
|---|---|---|---|
{bins}

- {steps} steps leave goals, {share:.1%} of them right. Brier score {brier:.3f} (always predicting that share:
  {base:.3f}); expected calibration error {ece:.3f}.
- Of {mixed} statements with right and wrong steps that leave goals, the first one is right for {new} by this order, and
  for {old} by the earlier one (fewest goals first, then the likelier). Of all pairs of a right and a wrong step of a
  statement, {pairs_new:.1%} stand in the right order, {pairs_old:.1%} by the earlier one.

## What the suggestions come to

| of {statements} statements | share | 95 % confidence |
|---|---|---|
{shares}

{closable}{shown}
## The ten worst

Statements whose first suggestion is wrong come first, then those without a step that closes the goal, those with the
least chance first.

| statement | goal | first suggestion | what comes of it |
|---|---|---|---|
{worst}
"""


def page(tried: Sequence[Tried], chances: Sequence[float], found: Assessment, model: str) -> str:
    """The page.

    Args:
        tried: All steps.
        chances: Of those that leave goals, in their order, by weights of other statements.
        found: What these chances are worth.
    """
    left = leaving(tried)

    def earlier(number: int) -> tuple[int, float]:
        step = left[number].step
        return -len(step.check.goals), step.candidate.likelihood

    new, mixed = first_right(left, lambda number: chances[number])
    shown = list({each.name: each.shown for each in tried if each.shown is not None}.values())
    firsts = _firsts(tried, {id(each): chance for each, chance in zip(left, chances, strict=True)})
    rows = by_statement(tried)
    shares = {
        "a step that Lean accepts": [_has(tried, numbers, *_ACCEPTED) for numbers in rows.values()],
        "a step that closes the goal": [_has(tried, numbers, Verdict.CLOSES) for numbers in rows.values()],
        "a right step": [any(tried[number].right for number in numbers) for numbers in rows.values()],
        "a right step as the first suggestion": [best is not None and best.right for best, _ in firsts.values()],
    }
    return _PAGE.format(
        statements=len(rows),
        model=model,
        bins="\n".join(
            f"| {each.low:.1f} to {each.low + 0.1:.1f} | {each.count} | {each.predicted:.2f} | {each.seen:.2f} |"
            for each in found.bins
        ),
        steps=found.steps,
        share=found.share,
        brier=found.brier,
        base=found.brier_of_share,
        ece=found.ece,
        mixed=mixed,
        new=new,
        old=first_right(left, earlier)[0],
        pairs_new=pairs_in_order(left, lambda number: chances[number]),
        pairs_old=pairs_in_order(left, earlier),
        shares="\n".join(_share(what, seen) for what, seen in shares.items()),
        shown=_shown(shown),
        closable=_closable(tried, rows),
        worst="\n".join(_worst(tried, rows, firsts)),
    )


def reliability(found: Assessment) -> str:
    """The reliability curve as SVG: a dot a tenth, its area by the number of steps, beside the diagonal."""

    def place(x: float, y: float) -> tuple[float, float]:
        return round(_EDGE + x * _SIDE, 1), round(_EDGE / 2 + (1 - y) * _SIDE, 1)

    most = max(each.count for each in found.bins)
    dots = "".join(
        '<circle cx="{}" cy="{}" r="{:.1f}" fill="#1f5fbf" fill-opacity="0.8"/>'.format(
            *place(each.predicted, each.seen), 3 + 9 * (each.count / most) ** 0.5
        )
        for each in found.bins
    )
    line = " ".join(f"{x},{y}" for x, y in (place(each.predicted, each.seen) for each in found.bins))
    zero, one = place(0, 0), place(1, 1)
    ticks = "".join(
        f'<text x="{place(share, 0)[0]}" y="{zero[1] + 15}" text-anchor="middle">{share:g}</text>'
        f'<text x="{zero[0] - 6}" y="{place(0, share)[1] + 4}" text-anchor="end">{share:g}</text>'
        for share in (0.0, 0.5, 1.0)
    )
    wide, high = _SIDE + 2 * _EDGE, _SIDE + 2 * _EDGE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif"'
        ' font-size="11">\n'
        f'<rect width="{wide}" height="{high}" fill="white"/>\n'
        f'<rect x="{zero[0]}" y="{one[1]}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#888"/>\n'
        f'<path d="M{zero[0]},{zero[1]} L{one[0]},{one[1]}" stroke="#888" stroke-dasharray="4 4"/>\n'
        f'<polyline points="{line}" fill="none" stroke="#1f5fbf" stroke-width="2"/>{dots}\n{ticks}\n'
        f'<text x="{wide / 2}" y="{high - 22}" text-anchor="middle">predicted chance</text>\n'
        f'<text x="14" y="{high / 2}" text-anchor="middle" transform="rotate(-90 14 {high / 2})">'
        "share of right steps</text>\n</svg>\n"
    )


def _firsts(tried: Sequence[Tried], held_out: dict[int, float]) -> dict[str, tuple[Tried | None, float]]:
    """The first suggestion for each statement, and its chance; 1 for one that closes the goal."""
    firsts: dict[str, tuple[Tried | None, float]] = {}
    for name, numbers in by_statement(tried).items():
        steps = [tried[number] for number in numbers if tried[number].step.check.verdict is not Verdict.INVALID]
        closing = [each for each in steps if each.step.check.verdict is Verdict.CLOSES]
        if closing:
            best = ordered([each.step for each in closing], closing[0].goal)[0]
            firsts[name] = next(each for each in closing if each.step is best), 1.0
        elif steps:
            first = max(steps, key=lambda each: held_out[id(each)])
            firsts[name] = first, held_out[id(first)]
        else:
            firsts[name] = None, 0.0
    return firsts


def _shown(seconds: Sequence[float]) -> str:
    if not seconds:
        return ""
    median = statistics.median(seconds) * 1000
    return (
        f"The median time to the first accepted step, Lean and the model loaded, was {median:.0f} ms\n"
        f"({_processor()}, on which other programs ran as well).\n"
    )


def _closable(tried: Sequence[Tried], rows: dict[str, list[int]]) -> str:
    """For how many statements a single closing step was found at all, by trying more than a user waits for."""
    known = [any(tried[number].closable for number in numbers) for numbers in rows.values()]
    if not any(known):
        return ""
    closed = sum(_has(tried, numbers, Verdict.CLOSES) for numbers in rows.values())
    return (
        f"A single step that closes the goal was found for {sum(known)} of the statements when 128 samples of the\n"
        f"model and each of Lean's tactics with another one behind `<;>` were tried as well; the suggestions have one\n"
        f"for {closed} of them ({closed / sum(known):.1%}).\n\n"
    )


def _has(tried: Sequence[Tried], numbers: Sequence[int], *verdicts: Verdict) -> bool:
    return any(tried[number].step.check.verdict in verdicts for number in numbers)


def _share(what: str, seen: Sequence[bool]) -> str:
    low, high = wilson(sum(seen), len(seen))
    return f"| with {what} | {sum(seen) / len(seen):.1%} | {low:.1%} to {high:.1%} |"


def _worst(
    tried: Sequence[Tried], rows: dict[str, list[int]], firsts: dict[str, tuple[Tried | None, float]]
) -> list[str]:
    def badness(name: str) -> tuple[bool, float]:
        best, chance = firsts[name]
        return (best is not None and best.right, chance if best is not None and best.right else -chance)

    lines = []
    for name in sorted(firsts, key=badness)[:WORST]:
        best, chance = firsts[name]
        goal = tried[rows[name][0]].goal.text
        came = (
            "no step is accepted"
            if best is None
            else f"predicted {chance:.2f}, " + ("right" if best.right else "wrong")
        )
        if best is not None and not any(tried[number].right for number in rows[name]):
            came += "; no step is right"
        lines.append(f"| `{name}` | {_code(goal)} | {_code(best.step.text) if best else '–'} | {came} |")
    return lines


def _code(text: str) -> str:
    """A text in a cell of a table."""
    return f"<code>{escape(' ⏎ '.join(text.split(chr(10))), quote=False).replace('|', '&#124;')}</code>"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "processor not known")
