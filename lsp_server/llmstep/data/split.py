"""Distinct pairs in parts that have no theorem, and no pair, in common."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import attrs

from llmstep.data.pair import Pair, Part, write_jsonl

PARTS: tuple[Part, ...] = ("train", "valid", "test")


@attrs.frozen
class Split:
    """The pairs of each part."""

    parts: dict[Part, list[Pair]]
    duplicates: int
    """Pairs that were there already."""

    def write(self, folder: Path) -> list[Path]:
        """Writes `train.jsonl` and so on; files of parts that are empty now are removed."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for part, pairs in self.parts.items():
            file = folder / f"{part}.jsonl"
            if pairs:
                write_jsonl(file, pairs)
                written.append(file)
            else:
                file.unlink(missing_ok=True)
        return written


def split(pairs: Iterable[Pair], valid_share: float) -> Split:
    """Divides pairs by their theorems.

    A pair whose source names a part comes into that one, or all those of its theorem into the most held-out part that
    the source names for any of them. The others are divided by a hash of the theorem's name, so that the part of a
    theorem does not depend on what else there is. A pair that occurs several times is kept once, in the most held-out
    part, so that nothing which is held out is trained on.

    Args:
        valid_share: About this share of the theorems is held out.
    """
    pairs = list(pairs)
    named: dict[str, Part] = {}
    for part in PARTS:  # the later the more held out
        named.update({pair.theorem: part for pair in pairs if pair.part == part})
    parts: dict[Part, list[Pair]] = {part: [] for part in PARTS}
    for pair in pairs:
        parts[named.get(pair.theorem) or hashed_part(pair.theorem, valid_share)].append(pair)
    seen: set[tuple[str, str]] = set()
    for part in reversed(PARTS):
        parts[part] = list({(pair.goal, pair.tactic): pair for pair in reversed(parts[part])}.values())[::-1]
        parts[part] = [pair for pair in parts[part] if (pair.goal, pair.tactic) not in seen]
        seen.update((pair.goal, pair.tactic) for pair in parts[part])
    return Split(parts, len(pairs) - sum(map(len, parts.values())))


def hashed_part(theorem: str, valid_share: float) -> Part:
    """`train` or `valid`, always the same for a name."""
    digest = hashlib.sha256(theorem.encode("utf-8", "surrogatepass")).digest()
    return "valid" if int.from_bytes(digest[:8], "big") < valid_share * 2**64 else "train"
