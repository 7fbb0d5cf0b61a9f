"""The words of tactic proofs that their layout depends on: sets of `words.toml`, which says what each of them holds."""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

from llmstep import toml

TABLES: Final[dict[str, dict[str, Any]]] = toml.loads(
    resources.files("llmstep.lean").joinpath("words.toml").read_text("utf-8")
)


def words(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


def sets(table: str) -> dict[str, frozenset[str]]:
    """The sets of a table of `words.toml` by name."""
    return {name: words(text) for name, text in TABLES[table].items()}


def one_of(found: frozenset[str]) -> str:
    """Words as alternatives of a regular expression."""
    return "|".join(sorted(found))


_STEPS: Final = sets("steps")
ALTERNATIVES: Final = _STEPS["alternatives"]
CASES: Final = _STEPS["cases"]
CONVERSIONS: Final = _STEPS["conversions"]
LEAVING: Final = _STEPS["leaving"]
COMBINATORS: Final = _STEPS["combinators"]
DISTRIBUTING: Final = _STEPS["distributing"]
CHOICES: Final = _STEPS["choices"]
PATTERNS: Final = _STEPS["patterns"]
REPLACED: Final = _STEPS["replaced"]
CALLS: Final = _STEPS["calls"]
SEARCHES: Final = _STEPS["searches"]
REWRITES: Final = _STEPS["rewrites"]
NAMING: Final = _STEPS["naming"]
DEFINING: Final = _STEPS["defining"]
PARTS_OF_TERMS: Final = _STEPS["parts_of_terms"]
COMMAS: Final = _STEPS["commas"]
NO_STEP: Final = _STEPS["no_step"]
SURE_STEPS: Final = _STEPS["sure_steps"]
WITH_ARGUMENT: Final = _STEPS["with_argument"]
OPEN_END: Final = _STEPS["open_end"]
KNOWN_STEPS: Final = (
    _STEPS["others"] | SURE_STEPS | WITH_ARGUMENT | CASES | COMBINATORS | CHOICES | CONVERSIONS | ALTERNATIVES
)
