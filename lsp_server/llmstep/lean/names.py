"""Names in a candidate that Lean does not know or calls deprecated, and the candidate with other ones. Pure: no server.

Only what Lean's messages point at is a name to be replaced: text in strings and comments is never looked at.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs
from lsprotocol.types import Position

from llmstep.lean.step import inserted
from llmstep.lean.text import offset_at
from llmstep.lean.tokens import NAME
from llmstep.lean.verdict import ERROR, WARNING, Diagnostic, Outcome

if TYPE_CHECKING:
    from llmstep.lean.insertion_point import ShadowText


_UNKNOWN: Final = re.compile(r"\A(?:[Uu]nknown (?:identifier|constant) |The identifier \S+ is unknown)")
_NO_FIELD: Final = re.compile(r"\A[Ii]nvalid field [\s\S]*?environment does not contain")
_DEPRECATED: Final = re.compile(r"\A`([^`\s]+)` has been deprecated[:,] [Uu]se `([^`\s]+)` instead")
_ROOT: Final = "_root_."
_VARIABLE: Final = 6
"""The kind of an item of a completion that is a local variable."""

LEAST: Final = 0.72
"""How alike, from 0 to 1, an offered name has to be to the one that is written."""
MAX_NAMES: Final = 3
"""Of one candidate; with more, it is no slip of a name."""
_MAX_TEXTS: Final = 4


class StepPlaces:
    """Where a step and its document have the same text; the step's is what an edit inserts, without indentation."""

    def __init__(self, shadow: ShadowText, candidate: str) -> None:
        self.step = inserted(candidate)
        at, seen = 0, offset_at(shadow.text, shadow.start)
        rows = shadow.text[seen : offset_at(shadow.text, shadow.end)].split("\n")
        self._lines: list[tuple[int, int, int]] = []
        """Of each line: its first character but blanks in the step, the same in the document, and their number."""
        for line, row in zip(self.step.split("\n"), rows, strict=False):
            bare = line.lstrip(" ")
            shown = seen + len(row) - len(row.lstrip(" "))
            self._lines.append((at + len(line) - len(bare), shown, len(bare)))
            at += len(line) + 1
            seen += len(row) + 1

    def in_step(self, offset: int) -> int | None:
        """The offset in the step of one in the document; None outside of it."""
        inside = (own + offset - shown for own, shown, length in self._lines if shown <= offset <= shown + length)
        return next(inside, None)

    def in_document(self, offset: int) -> int:
        """The offset in the document of one in the step."""
        own, shown, _ = next((line for line in reversed(self._lines) if line[0] <= offset), self._lines[0])
        return shown + offset - own


@attrs.frozen
class Misnamed:
    """A name in the text of a step."""

    start: int
    end: int
    """Offsets in the text."""
    written: str
    """The text between them."""
    kind: Literal["unknown", "deprecated"]
    field: bool = False
    """It stands behind a dot that begins no part of it: `good` in `h.good` and in `.good`."""
    old: str = ""
    """With `deprecated`, its full name."""
    new: str = ""
    """With `deprecated`, the full name that Lean says to use."""


@attrs.frozen
class Offer:
    """A text in place of a name."""

    text: str
    likeness: float
    """From 0 to 1; 1 where Lean itself says that this is the name."""


def misnamed(outcome: Outcome, candidate: str) -> list[Misnamed]:
    """The names in a candidate that Lean does not know, and those that it calls deprecated, in their order."""
    said = [(each, changed) for each in outcome.diagnostics if (changed := _complaint(each)) is not None]
    if not said:
        return []
    places, found = StepPlaces(outcome.shadow, candidate), dict[int, Misnamed]()
    for diagnostic, changed in said:
        start, end = _span(places, outcome.shadow.text, diagnostic)
        written = places.step[start:end]
        if re.fullmatch(NAME, written):
            field = places.step[:start].endswith(".")
            name = Misnamed(start, end, written, "deprecated" if changed else "unknown", field, *changed)
            found.setdefault(start, name)
    return [found[start] for start in sorted(found)]


def is_misnamed(outcome: Outcome, candidate: str, *, accepted: bool) -> bool:
    """Whether another name may save a candidate that Lean refuses, or better one that it accepts."""
    names = misnamed(outcome, candidate)
    wanted = "deprecated" if accepted else "unknown"
    return 0 < len(names) <= MAX_NAMES and any(each.kind == wanted for each in names)


def replacement(name: Misnamed, bound: AbstractSet[str]) -> str | None:
    """What to write for a deprecated name; None where the new one cannot stand in its place.

    Args:
        bound: The names in the goal.
    """
    old_space, _, old_last = name.old.rpartition(".")
    new_space, _, new_last = name.new.rpartition(".")
    if name.field:
        return new_last if name.written == old_last and old_space == new_space else None
    written = name.written.removeprefix(_ROOT)
    if written == name.old or name.old.endswith(f".{written}"):
        return rooted(name.new, bound)
    head, _, last = written.rpartition(".")  # `h.old`, where `h` is a term
    return f"{head}.{new_last}" if last == old_last and old_space == new_space else None


def rooted(name: str, bound: AbstractSet[str]) -> str:
    """A full name, so that no hypothesis hides it."""
    return _ROOT + name if name.partition(".")[0] in bound else name


def completions(name: Misnamed, items: Iterable[Any], bound: AbstractSet[str], own: str) -> list[Offer]:
    """The offers in Lean's answer to a request for completions, the likest first.

    Args:
        own: The full name of the theorem itself, which cannot be used to prove it.
    """
    best: dict[str, float] = {}
    for item in items:
        offered = _offered(name, item, own)
        if offered is None:
            continue
        text, full = offered
        if not name.field and text == full:
            text = rooted(text, bound - {text} if item.get("kind") == _VARIABLE else bound)
        alike = likeness(name.written, text if name.field else full) - (0.1 if 1 in (item.get("tags") or ()) else 0)
        best[text] = max(best.get(text, 0.0), alike)
    kept = [Offer(text, alike) for text, alike in best.items() if alike >= LEAST and text != name.written]
    return sorted(kept, key=lambda offer: -offer.likeness)


def changes(name: Misnamed, actions: Iterable[Any], place: Any, bound: AbstractSet[str], own: str) -> list[Offer]:
    """The offers in Lean's code actions: those that change this name and nothing else ("Change to Nat.add_comm").

    Args:
        place: The range of the name in the document, as on the wire.
        own: As for `completions`.
    """
    offers = []
    for action in actions:
        edits = [edit for edit in _edits(action) if isinstance(edit, dict)]
        text = str(edits[0].get("newText", "")) if len(edits) == 1 and edits[0].get("range") == place else ""
        alike = likeness(name.written, text)
        if re.fullmatch(NAME, text) and text != name.written and not _is_own(text, own) and alike >= LEAST:
            offers.append(Offer(text if name.field else rooted(text, bound), alike))
    return offers


def likeness(written: str, offered: str) -> float:
    """How alike two names are, from 0 to 1: above all in their last parts, in capital letters least."""
    last, other = (name.rpartition(".")[2] for name in (written, offered))
    return 0.8 * _alike(last, other) + 0.2 * _alike(written, offered)


def renamed(candidate: str, choices: Sequence[tuple[Misnamed, Sequence[Offer]]]) -> list[str]:
    """The candidate with each name replaced by one of its offers, the likest texts first."""
    text = inserted(candidate)
    ways = itertools.product(*(offers[:_MAX_TEXTS] for _, offers in choices))
    likest = sorted(ways, key=lambda way: -sum(offer.likeness for offer in way))[:_MAX_TEXTS]
    texts = []
    for way in likest:
        new = text
        for (name, _), offer in sorted(zip(choices, way, strict=True), key=lambda pair: -pair[0][0].start):
            new = new[: name.start] + offer.text + new[name.end :]
        texts.append(new)
    return list(dict.fromkeys(texts))


def _complaint(diagnostic: Diagnostic) -> tuple[str, ...] | None:
    """The old and the new name of a message that calls one deprecated; empty where it is unknown; None for others."""
    message, severity = str(diagnostic["message"]), diagnostic.get("severity")
    if severity == ERROR and (_UNKNOWN.match(message) or _NO_FIELD.match(message)):
        return ()
    found = _DEPRECATED.match(message) if severity == WARNING else None
    return (found[1], found[2]) if found else None


def _span(places: StepPlaces, text: str, diagnostic: Diagnostic) -> tuple[int, int]:
    """The offsets, in the text of a step, of what a message points at in its document; equal for others."""
    first, last = (offset_at(text, Position(**diagnostic["range"][side])) for side in ("start", "end"))
    first += text[first : first + 1] == "."  # of `.symm`, whose type says what it belongs to
    start, end = places.in_step(first), places.in_step(last)
    return (0, 0) if start is None or end is None else (start, end)


def _offered(name: Misnamed, item: Any, own: str) -> tuple[str, str] | None:
    """What an item puts in place of a name, and the full name of what that is."""
    label = item.get("label") if isinstance(item, dict) else None
    if not isinstance(label, str) or not re.fullmatch(NAME, label):
        return None
    full = _full_name(item)
    if not full:
        space = name.written.rpartition(".")[0]
        full = label if not space or label.startswith(f"{space}.") else f"{space}.{label}"
    if _is_own(full, own) or full.startswith(("Lean.Parser.", "_")) or "._" in full:
        return None
    if name.field:
        return (label, full) if "." not in label else None
    return full, full


def _is_own(name: str, own: str) -> bool:
    """Whether a name is the theorem's own, or what is left of it inside of its name spaces."""
    return name == own or own.endswith(f".{name}")


def _full_name(item: Any) -> str:
    """The full name that Lean keeps with an item; empty where it keeps none."""
    data = item.get("data")
    if isinstance(data, list) and data and isinstance(data[-1], str):
        return data[-1][1:] if data[-1][:1] == "c" else str(item["label"])  # "cNat.add_comm", or a local variable
    identity = data.get("id") if isinstance(data, dict) else None
    const = identity.get("const") if isinstance(identity, dict) else None
    return str(const.get("declName", "")) if isinstance(const, dict) else ""


def _edits(action: Any) -> list[Any]:
    edit = action.get("edit") if isinstance(action, dict) else None
    if not isinstance(edit, dict):
        return []
    files = [each.get("edits", []) for each in edit.get("documentChanges") or () if isinstance(each, dict)]
    return [one for file in (*files, *(edit.get("changes") or {}).values()) for one in file]


def _alike(first: str, second: str) -> float:
    if first == second:
        return 1.0
    small, other = first.lower(), second.lower()
    if sorted(small.split("_")) == sorted(other.split("_")):
        return 0.95  # the same words in another order, or with other capitals
    matcher = difflib.SequenceMatcher(None, small, other, autojunk=False)
    return 0.95 * matcher.ratio() if matcher.real_quick_ratio() >= LEAST / 2 else 0.0
