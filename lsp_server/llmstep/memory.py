"""What is known about the goals of open documents: sets of suggestions, kept as long as their goal stays."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import MutableMapping, Sequence
from typing import Any

import attrs
from cachetools import FIFOCache
from lsprotocol.types import Diagnostic, Position, Range

from llmstep.errors import LlmstepError
from llmstep.lean.insertion_points import InsertionPoint, find_insertion_points
from llmstep.lean.text import common_prefix
from llmstep.ranking import ordered
from llmstep.types import Goal, Suggestion, Verdict

SETS_PER_DOCUMENT = 64

_QUOTED = re.compile(r"`[^`]*`|'[^']*'|\"[^\"]*\"")


@attrs.frozen
class Document:
    """The text of a file at one version."""

    uri: str
    version: int | None
    text: str


@attrs.frozen
class Edit:
    """A text before and after an edit."""

    before: str
    after: str
    since: int
    """Offset of the first character that is not the same."""

    @classmethod
    def between(cls, before: str, after: str) -> Edit:
        return cls(before, after, common_prefix(before, after))

    def leaves(self, point: InsertionPoint) -> bool:
        """Whether a place is still there, with its key, which is known here without going through the text above it."""
        return self.since >= point.end and point.behind(self.before) == point.behind(self.after)


def insertion_points_at(
    text: str, where: Position | Range, diagnostics: Sequence[Diagnostic] = ()
) -> tuple[Position, list[InsertionPoint]]:
    """The places that may be meant by a position, or by the start or else the end of a range, the likeliest first.

    Returns:
        The position that they belong to, and the insertion points; none where there is no goal.
    """
    if not isinstance(where, Range):
        return where, find_insertion_points(text, where, diagnostics)
    points = find_insertion_points(text, where.start, diagnostics)
    if points or where.start == where.end:
        return where.start, points
    return where.end, find_insertion_points(text, where.end, diagnostics)


@attrs.frozen(kw_only=True)
class SuggestionSet:
    """The suggestions for one goal of one document."""

    uri: str
    version: int | None
    """The version of the document that was asked about."""
    point: InsertionPoint
    key: str
    """`InsertionPoint.key`: identity of the goal's place, lost by an edit that makes the set stale."""
    goal: Goal
    prefix: str
    model: str = ""
    elapsed_ms: float = 0.0
    suggestions: tuple[Suggestion, ...] = ()
    """Ranked, best first; none that Lean refused."""
    rejected: tuple[Suggestion, ...] = ()
    """Those that Lean refused, by score."""
    refused_tactics: tuple[Suggestion, ...] = ()
    """Lean's own tactics that it refused here, in the order tried; told on demand only."""
    drawn: int = 0
    """Number of samples drawn from the model."""
    draws: int = 1
    """Number of requests to the model; each is sampled afresh."""
    note: str = ""
    """Why some were not checked."""
    endings: str = ""
    """See `Generation.endings`."""
    failure: LlmstepError | None = None
    """Why the model gave nothing, where Lean's own tactics are all that there is."""
    chosen: str = ""
    """The text of the one that the user has turned to; empty for the best."""

    @property
    def best(self) -> Suggestion | None:
        return self.suggestions[0] if self.suggestions else None

    @property
    def shown(self) -> Suggestion | None:
        """The one to show where there is room for one: the user's choice while it stands, else the best."""
        return next((each for each in self.suggestions if each.text == self.chosen), self.best)

    def judged(self, suggestions: Sequence[Suggestion], **changes: Any) -> SuggestionSet:
        """The same set with these suggestions instead, ranked, the refused ones put aside."""
        ranked = ordered(suggestions, self.goal)
        return attrs.evolve(
            self,
            suggestions=tuple(s for s in ranked if s.check.verdict is not Verdict.INVALID),
            rejected=tuple(s for s in ranked if s.check.verdict is Verdict.INVALID),
            **changes,
        )

    def summary(self) -> str:
        """One line: how many came, how many are distinct, and what Lean said."""
        everything = (*self.suggestions, *self.rejected)
        lean = sum(each.candidate.source == "lean" for each in everything)
        repaired = [each for each in everything if each.candidate.source == "repaired"]
        written = [each.text for each in everything if each.candidate.source == "model"]
        distinct = len(written) + sum(each.candidate.repaired_from not in written for each in repaired)
        head = f"{self.drawn} generated, {distinct} distinct" if distinct else f"{self.drawn} generated"
        if self.failure is not None:
            head = self.failure.message.rstrip(".")
        elif not distinct and self.drawn:
            head += ", none of them a tactic"
        elif distinct and not self.drawn:  # a proof that was searched for, or steps of a run that goes on
            head = f"{distinct} found"
        if self.endings:
            head += f", {self.endings}"
        if not everything:
            return head
        if repaired:
            head += f", {len(repaired)} with a name repaired"
        if lean:
            head += f", {lean} of Lean's own tactics"
        counts = Counter(each.check.verdict for each in everything)
        unchecked = f" ({self.note.rstrip('.')})" if self.note else ""
        why = {Verdict.UNCHECKED: unchecked, Verdict.INVALID: self._why_rejected()}
        parts = [each.counted(counts[each]) + why.get(each, "") for each in Verdict if counts[each]]
        return f"{head}: {', '.join(parts)}"

    def _why_rejected(self) -> str:
        """The commonest reason; messages that begin alike are one reason."""
        reasons = [suggestion.check.message.strip().rstrip(".:") for suggestion in self.rejected]
        kinds = Counter(_kind(reason) for reason in reasons if reason)
        if not kinds:
            return ""
        kind, times = kinds.most_common(1)[0]
        example = next(reason for reason in reasons if _kind(reason) == kind)
        if len(kinds) == 1:
            return f" ({example})"
        return f" (most often, {times} times: {example})" if times > 1 else f" (one of them: {example})"


def _kind(message: str) -> str:
    """What a message begins with, without the names that it quotes: enough to distinguish Lean's errors."""
    return " ".join(_QUOTED.sub("", message).split()[:2])


class Memory:
    """The sets of the open documents, the latest `SETS_PER_DOCUMENT` of each."""

    def __init__(self) -> None:
        self._documents: dict[str, FIFOCache[str, SuggestionSet]] = {}

    def remember(self, new: SuggestionSet) -> None:
        """Keep a set; it replaces the one known for the same goal, whose chosen suggestion stays the chosen one."""
        sets = self._documents.setdefault(new.uri, FIFOCache(SETS_PER_DOCUMENT))
        old = sets.get(new.key)
        sets[new.key] = attrs.evolve(new, chosen=old.chosen) if old and not new.chosen else new

    def find(self, uri: str, key: str) -> SuggestionSet | None:
        """The set of a goal."""
        return self._documents[uri].get(key) if uri in self._documents else None

    def has(self, uri: str) -> bool:
        """Whether anything is known for a document."""
        return bool(self._documents.get(uri))

    def first(self, uri: str, keys: Sequence[str]) -> SuggestionSet | None:
        """The set of the first of some goals for which one is known."""
        return next((known for key in keys if (known := self.find(uri, key))), None)

    def known(
        self, document: Document, where: Position | Range, diagnostics: Sequence[Diagnostic] = ()
    ) -> SuggestionSet | None:
        """What is known for the goal at a position or range. Takes as long as the text is."""
        if not self.has(document.uri):
            return None
        _, points = insertion_points_at(document.text, where, diagnostics)
        return self.first(document.uri, [point.key(document.text) for point in points])

    def sets(self, uri: str) -> list[SuggestionSet]:
        """The sets of a document in the order of their places."""
        return sorted(self._documents.get(uri, {}).values(), key=lambda known: known.point.start)

    def edited(self, uri: str, edit: Edit) -> None:
        """Forget the sets whose goal is no longer there in the new text."""
        sets: MutableMapping[str, SuggestionSet] = self._documents.get(uri, {})
        for key in [key for key, known in sets.items() if not edit.leaves(known.point)]:
            del sets[key]

    def forget(self, uri: str | None = None) -> None:
        """Forget one document, or all."""
        if uri is None:
            self._documents.clear()
        else:
            self._documents.pop(uri, None)
