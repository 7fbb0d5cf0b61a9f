"""The suggestions of one run while they come in: from the model, from Lean's own tactics, judged one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

from llmstep.lean.step import inserted
from llmstep.memory import Memory, SuggestionSet
from llmstep.progress import since
from llmstep.types import Candidate, Check, Suggestion, Tried, Verdict


@attrs.define
class Gathering:
    """A set of suggestions that grows; every change is remembered and shown."""

    _set: SuggestionSet
    _known: Iterable[Suggestion]
    """What earlier runs have found for the same goal."""
    _memory: Memory
    _on_update: Callable[[SuggestionSet], None] | None
    """Called with the set after every change."""
    _started: float
    """When the run began, by `time.perf_counter()`."""
    _suggestions: dict[str, Suggestion] = attrs.field(init=False)
    """By what an edit inserts."""

    def __attrs_post_init__(self) -> None:
        self._suggestions = {inserted(each.text): each for each in self._known}

    @property
    def found(self) -> bool:
        """Whether something can be shown."""
        return any(each.check.verdict is not Verdict.INVALID for each in self._suggestions.values())

    def unchecked(self) -> list[str]:
        """The texts without a verdict, in the order they came."""
        return [each.text for each in self._suggestions.values() if each.check.verdict is Verdict.UNCHECKED]

    def model_candidates(self, candidates: Iterable[Candidate]) -> None:
        """Adds candidates of the model; one that is known from Lean's tactics keeps its verdict."""
        for candidate in candidates:
            step = inserted(candidate.text)
            known = self._suggestions.get(step)
            if known is None:
                self._suggestions[step] = Suggestion(candidate)
            elif known.candidate.source == "lean":
                both = attrs.evolve(candidate, chance=max(candidate.likelihood, known.candidate.likelihood))
                self._suggestions[step] = attrs.evolve(known, candidate=both)

    def tactic(self, suggestion: Suggestion) -> None:
        """A tactic of Lean with its verdict; one that the model gave as well stays the model's."""
        if not suggestion.check.verdict.accepted:
            self._set = attrs.evolve(self._set, refused_tactics=(*self._set.refused_tactics, suggestion))
            return
        step = inserted(suggestion.text)
        known = self._suggestions.get(step)
        if known is not None:
            chance = max(known.candidate.likelihood, suggestion.candidate.likelihood)
            suggestion = attrs.evolve(suggestion, candidate=attrs.evolve(known.candidate, chance=chance))
        self._suggestions[step] = suggestion
        self.update()

    def misnamed(self) -> list[Suggestion]:
        """Those of the model that may be better with other names, the likeliest first."""
        found = [each for each in self._suggestions.values() if each.check.misnamed and not each.tried]
        return sorted(
            (each for each in found if each.candidate.source == "model"), key=lambda each: -each.candidate.likelihood
        )

    def check_of(self, text: str) -> Check | None:
        """The verdict on a text that is here already."""
        known = self._suggestions.get(inserted(text))
        return None if known is None or known.check.verdict is Verdict.UNCHECKED else known.check

    def repaired(self, wrong: Suggestion, tried: Sequence[Tried], text: str, check: Check | None) -> None:
        """What came of other names for a candidate.

        Args:
            wrong: The candidate as the model wrote it.
            tried: Every text that was tried, in order.
            text: The one that is better.
            check: Its verdict; None where there is none better.
        """
        if check is not None and self.check_of(text) is None:
            candidate = attrs.evolve(wrong.candidate, text=text, source="repaired", repaired_from=wrong.text)
            self._suggestions[inserted(text)] = Suggestion(candidate, check)
        if check is not None and wrong.check.verdict is not Verdict.INVALID:
            del self._suggestions[inserted(wrong.text)]  # the name it uses will be gone one day
        else:
            self._suggestions[inserted(wrong.text)] = attrs.evolve(wrong, tried=tuple(tried))
        self.update()

    def judged(self, text: str, check: Check) -> None:
        """The verdict on one of them."""
        step = inserted(text)
        self._suggestions[step] = attrs.evolve(self._suggestions[step], check=check)

    def update(self, **changes: Any) -> SuggestionSet:
        """The set as it is now, with these fields changed; remembered and shown."""
        self._set = self._set.judged(
            list(self._suggestions.values()), **{"elapsed_ms": since(self._started), **changes}
        )
        self._memory.remember(self._set)
        if self._on_update is not None:
            self._on_update(self._set)
        return self._set
