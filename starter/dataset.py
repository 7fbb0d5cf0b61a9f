"""Draws theorems in several processes, has Lean run them, and splits the pairs into train, valid and test."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from llmstep.whole_file import whole_file
from starter import basics, equality, first_order, nat, propositional, selecting, short, structures
from starter.lean_run import Pair, checked_pairs
from starter.plain import plain_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from starter.script import Theorem

Families: TypeAlias = "dict[str, tuple[Callable[[Random], Theorem | None], float]]"
"""For each family how a theorem is drawn, and how often in proportion."""
FAMILIES: Families = {
    "basics": (basics.draw, 0.9),
    "propositional": (propositional.draw, 1.0),
    "quantifier": (first_order.draw, 1.1),
    "equality": (equality.draw, 1.1),
    "nat": (nat.draw, 1.4),
}
EXTRA: dict[str, tuple[Families, int]] = {
    "structures": ({"structures": (structures.draw, 1.0)}, 15),
    "short": ({"short": (short.draw, 1.0)}, 6),
    "selecting": ({"selecting": (selecting.draw, 1.0)}, 6),
}
"""Families of few shapes, which have shards of their own: one for so many of the others."""

SHARD_DRAWS = 1500
SHORT = 120
"""Most characters of a short pair."""
FIRST = 24
"""Most characters of a statement that everyone tries first: `⊢ True ∧ True`."""
MAX_ALIKE = {FIRST: 40, 48: 12}
"""How often an equal pair may be in the training part whose goal has at most so many characters."""
MAX_ALIKE_LONG = 4
SPLITS = {"test": 2, "valid": 1, "train": 97}
"""Parts in a hundred, by the hash of the theorem's statement."""


def draw_theorems(seed: int, draws: int, families: Families = FAMILIES) -> list[Theorem]:
    """The provable ones among ``draws`` random theorems of the families, without repetition."""
    rng = Random(seed)
    weights = [weight for _, weight in families.values()]
    found: dict[str, Theorem] = {}
    for _ in range(draws):
        (draw, _), *_rest = rng.choices(list(families.values()), weights)
        theorem = draw(rng)
        if theorem is not None:
            found.setdefault(theorem.statement, theorem)
    return list(found.values())


def make_shard(lean: Sequence[str], seed: int, draws: int = SHARD_DRAWS, families: Families = FAMILIES) -> list[Pair]:
    """The pairs of one shard; the same seed gives the same pairs."""
    pairs, _ = checked_pairs(lean, draw_theorems(seed, draws, families))
    return list(dict.fromkeys(pairs))


def _write_shard(job: tuple[Sequence[str], int, Path]) -> int:
    lean, seed, file = job
    if not file.exists():
        families, _ = EXTRA.get(file.name.split("-")[0], (FAMILIES, 1))
        pairs = make_shard(lean, seed, families=families)
        with whole_file(file) as part:
            part.write_text("".join(json.dumps(asdict(p), ensure_ascii=False) + "\n" for p in pairs), encoding="utf-8")
    with file.open(encoding="utf-8") as lines:
        return sum(1 for _ in lines)


def generate(
    lean: Sequence[str], folder: Path, shards: int, processes: int = 2, report: Callable[[str], None] = print
) -> None:
    """Writes shards ``0`` to ``shards - 1`` into ``folder``, and those of `EXTRA`; what is there is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(lean, seed, folder / f"{seed:05d}.jsonl") for seed in range(shards)]
    for name, (_, rarity) in EXTRA.items():
        jobs += [(lean, seed, folder / f"{name}-{seed:05d}.jsonl") for seed in range(-(-shards // rarity))]
    total = 0
    with ProcessPoolExecutor(processes) as pool:
        for done, count in enumerate(pool.map(_write_shard, jobs), start=1):
            total += count
            if done % 10 == 0 or done == len(jobs):
                report(f"{done} of {len(jobs)} shards, {total} pairs checked by Lean")


def part_of(theorem: str) -> str:
    """The part that a theorem belongs to, by a hash of its statement. Those that everyone tries first are for train."""
    if len(theorem.strip()) <= FIRST:
        return "train"
    number = int(hashlib.sha256(theorem.encode()).hexdigest(), 16) % 100
    for name, share in SPLITS.items():
        if number < share:
            return name
        number -= share
    return "train"


def read_shards(folder: Path) -> Iterable[Pair]:
    for file in sorted(folder.glob("*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield Pair(**json.loads(line))


def split(pairs: Iterable[Pair], kept_back: Collection[str] = ()) -> dict[str, list[Pair]]:
    """Pairs with plain names by part. A held-out theorem is never in train, nor is any goal of valid and test.

    A pair that many theorems have comes a few times in train, and once elsewhere: what is asked often
    is learnt well.

    Args:
        kept_back: Goals (with plain names) that are left out of train, as the model is judged on them.
    """
    parts: dict[str, dict[tuple[str, str], list[Pair]]] = {name: {} for name in SPLITS}
    for pair in filter(None, map(plain_pair, pairs)):
        parts[part_of(pair.theorem)].setdefault((pair.goal, pair.tactic), []).append(pair)
    seen = {goal for goal, _ in parts["train"]}
    return {
        name: [
            pair
            for (goal, _), same in found.items()
            for pair in same[: max_alike(goal) if name == "train" else 1]
            if goal not in (kept_back if name == "train" else seen)
        ]
        for name, found in parts.items()
    }


def max_alike(goal: str) -> int:
    """How often an equal pair with this goal may be in the training part."""
    return next((most for longest, most in MAX_ALIKE.items() if len(goal) <= longest), MAX_ALIKE_LONG)


def is_short(pair: Pair) -> bool:
    return len(pair.goal) + len(pair.tactic) <= SHORT


def write_splits(shards: Path, out: Path, kept_back: Collection[str] = ()) -> dict[str, Counter[str]]:
    """Writes ``train.jsonl``, ``valid.jsonl`` and ``test.jsonl``, and the short ones of each to ``short-*.jsonl``.

    Some pairs of train are there a second time with a prefix, of which the model has to write the rest.

    Returns:
        The number of pairs by part and family.
    """
    out.mkdir(parents=True, exist_ok=True)
    counts = {}
    for part, pairs in split(read_shards(shards), kept_back).items():
        for name, chosen in ((part, pairs), (f"short-{part}", [pair for pair in pairs if is_short(pair)])):
            counts[name] = Counter(pair.family for pair in chosen)
            records = [asdict(pair) for pair in chosen]
            if part == "train":
                records += _with_prefixes(chosen)
            with (out / f"{name}.jsonl").open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    return counts


def _with_prefixes(pairs: Sequence[Pair]) -> list[dict[str, str]]:
    """Every tenth pair with a beginning of its tactic, of any length, as its prefix."""
    rng = Random(len(pairs))
    return [
        {**asdict(pair), "prefix": pair.tactic[: rng.randrange(1, len(pair.tactic))]}
        for pair in pairs[::10]
        if len(pair.tactic) > 1
    ]
