"""Draws theorems in several processes, has Lean run them, and splits the pairs into train, valid and test."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from random import Random
from typing import TYPE_CHECKING

from llmstep.whole_file import whole_file
from starter import equality, first_order, nat, propositional
from starter.lean_run import Pair, checked_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from starter.script import Theorem

FAMILIES: dict[str, tuple[Callable[[Random], Theorem | None], float]] = {
    "propositional": (propositional.draw, 1.0),
    "quantifier": (first_order.draw, 1.1),
    "equality": (equality.draw, 1.1),
    "nat": (nat.draw, 1.4),
}
"""For each family how a theorem is drawn, and how often in proportion."""

SHARD_DRAWS = 1500
PLAIN_LENGTH = 170
"""Most characters of a plain pair."""
_IDENTIFIER = re.compile(r"[^\W\d][\w'₀-₉]*")
_WORDS_OF_LEAN = frozenset(
    ("Prop", "Type", "Sort", "Nat", "True", "False", "case", "left", "right", "succ", "zero", "u_1")
)
SPLITS = {"test": 2, "valid": 1, "train": 97}
"""Parts in a hundred, by the hash of the theorem's statement."""


def draw_theorems(seed: int, draws: int) -> list[Theorem]:
    """The provable ones among ``draws`` random theorems of all families, without repetition."""
    rng = Random(seed)
    families = list(FAMILIES.values())
    weights = [weight for _, weight in families]
    found: dict[str, Theorem] = {}
    for _ in range(draws):
        (draw, _), *_rest = rng.choices(families, weights)
        theorem = draw(rng)
        if theorem is not None:
            found.setdefault(theorem.statement, theorem)
    return list(found.values())


def make_shard(lean: Sequence[str], seed: int, draws: int = SHARD_DRAWS) -> list[Pair]:
    """The pairs of one shard; the same seed gives the same pairs."""
    pairs, _ = checked_pairs(lean, draw_theorems(seed, draws))
    return list(dict.fromkeys(pairs))


def _write_shard(job: tuple[Sequence[str], int, Path]) -> int:
    lean, seed, file = job
    if not file.exists():
        pairs = make_shard(lean, seed)
        with whole_file(file) as part:
            part.write_text("".join(json.dumps(asdict(p), ensure_ascii=False) + "\n" for p in pairs), encoding="utf-8")
    with file.open(encoding="utf-8") as lines:
        return sum(1 for _ in lines)


def generate(
    lean: Sequence[str], folder: Path, shards: int, processes: int = 2, report: Callable[[str], None] = print
) -> None:
    """Writes shards ``0`` to ``shards - 1`` into ``folder``; those that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(lean, seed, folder / f"{seed:05d}.jsonl") for seed in range(shards)]
    total = 0
    with ProcessPoolExecutor(processes) as pool:
        for done, count in enumerate(pool.map(_write_shard, jobs), start=1):
            total += count
            if done % 10 == 0 or done == shards:
                report(f"{done} of {shards} shards, {total} pairs checked by Lean")


def part_of(theorem: str) -> str:
    """The split that a theorem belongs to, by a hash of its statement."""
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


def split(pairs: Iterable[Pair]) -> dict[str, list[Pair]]:
    """Distinct pairs by part. A held-out theorem is never in train, nor is any goal of valid and test."""
    parts: dict[str, dict[tuple[str, str], Pair]] = {name: {} for name in SPLITS}
    for pair in pairs:
        parts[part_of(pair.theorem)].setdefault((pair.goal, pair.tactic), pair)
    seen = {goal for goal, _ in parts["train"]}
    return {
        name: [pair for pair in chosen.values() if name == "train" or pair.goal not in seen]
        for name, chosen in parts.items()
    }


def is_plain(pair: Pair) -> bool:
    """Whether the pair is short and all its names have at most three characters, as most names people write."""
    short = len(pair.goal) + len(pair.tactic) <= PLAIN_LENGTH
    return short and all(len(name) <= 3 or name in _WORDS_OF_LEAN for name in _IDENTIFIER.findall(pair.goal))


def write_splits(shards: Path, out: Path) -> dict[str, Counter[str]]:
    """Writes ``train.jsonl``, ``valid.jsonl`` and ``test.jsonl``, and the plain ones of each to ``plain-*.jsonl``.

    Returns:
        The number of pairs by part and family.
    """
    out.mkdir(parents=True, exist_ok=True)
    counts = {}
    for part, pairs in split(read_shards(shards)).items():
        for name, chosen in ((part, pairs), (f"plain-{part}", [pair for pair in pairs if is_plain(pair)])):
            counts[name] = Counter(pair.family for pair in chosen)
            with (out / f"{name}.jsonl").open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(asdict(p), ensure_ascii=False) + "\n" for p in chosen)
    return counts
