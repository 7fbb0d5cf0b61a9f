"""The local names of a goal under plain names, for a model that reads no others: `p q : Prop`, `h₁ : p → q`.

What a name is called says nothing to a small model, and a name of many tokens is hard for it to repeat. So each local
and bound name of the goal is replaced by one of a short list for its kind, by its place; in the model's answer the
names of the goal come back. The new text means the same to Lean, since each name is replaced wherever it stands and
no two by the same one. A goal with plain names is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import count

import attrs

_WORD = r"[^\W\d][\w'!?]*"
_NAME = re.compile(rf"(?<![\w.'!?«✝])({_WORD})(?![\w»✝])")
"""A name, or the first part of a dotted one."""
_DECLARED = re.compile(r"^(?!⊢)(\S[^:\n]*?) : (.*(?:\n[ \t].*)*)", re.MULTILINE)
"""A line of hypotheses, with the lines that go on with their type."""
_BEGIN = re.compile(r"(?:^|[;\n·]|<;>|\bby)\s*\Z")
_NEW = re.compile(r"h[₀-₉]+")
_BINDER = re.compile(r"[∀∃λ]!?|\bfun\b")
_BOUND = re.compile(rf"\s*(?:({_WORD})|[({{⦃]\s*({_WORD}(?:\s+{_WORD})*)\s*:)")
_SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉"
PLAIN: Mapping[str, str] = {
    "proposition": "p q r s t",
    "type": "α β γ σ ι τ",
    "predicate": "P Q R S T U",
    "function": "f g k F G",
    "number": "n m l i j",
    "element": "a b c d e",
    "bound": "x y z w u v",
    "hypothesis": "h₁ h₂ h₃ h₄ h₅ h₆ h₇ h₈ h₉",
}
"""The plain names of each kind, in the order in which they are given away; behind them come some with a subscript."""
_NUMBERS = frozenset(("Nat", "Int", "Rat", "Real", "Bool", "String", "ℕ", "ℤ", "ℚ", "ℝ", "ℂ"))


@attrs.frozen
class LocalNames:
    """A replacement of names by plain ones."""

    plain: Mapping[str, str]
    """The plain name of each local and bound name."""

    def hidden(self, goal: str) -> str:
        """A goal with plain names."""
        head, _, body = goal.partition("\n")
        if head.startswith("case "):
            return f"{head}\n{self.hidden(body)}"
        return _NAME.sub(lambda found: self.plain.get(found[1], found[1]), goal)

    def hidden_step(self, step: str) -> str:
        """A step, or the beginning of one, with plain names; tactics keep theirs, whatever a hypothesis is called."""
        return _renamed(step, self.plain)

    def shown(self, text: str, before: str = "") -> str:
        """A step that was written with plain names in the names of the goal, or the rest of one behind `before`.

        A hypothesis that the step brings in gets a name that is free in the goal.
        """
        names = {plain: name for name, plain in self.plain.items()}
        whole, at = before + text, len(before)
        words = (found[1] for found in _NAME.finditer(text) if not _of_a_tactic(whole, at + found.start()))
        others = [word for word in dict.fromkeys(words) if word not in names]
        new = [word for word in others if word in self.plain or _NEW.fullmatch(word)]
        taken = {*self.plain, *_NAME.findall(before), *(word for word in others if word not in new)}
        free = (name for name in with_subscripts("h") if name not in taken)
        names |= dict(zip(new, free, strict=False))
        return _renamed(text, names, before)

    def unfinished(self, prefix: str) -> str:
        """The beginning of a local name that a prefix ends with, which has no plain form; empty if there is none."""
        last = next((found for found in _NAME.finditer(prefix) if found.end() == len(prefix)), None)
        if last is None or last[1] in self.plain or _of_a_tactic(prefix, last.start()):
            return ""
        return last[1] if any(name.startswith(last[1]) for name in self.plain) else ""


def _renamed(text: str, names: Mapping[str, str], before: str = "") -> str:
    def other(found: re.Match[str]) -> str:
        kept = _of_a_tactic(before + text, len(before) + found.start())
        return found[1] if kept else names.get(found[1], found[1])

    return _NAME.sub(other, text)


def _of_a_tactic(step: str, at: int) -> bool:
    """Whether the word at a place of a step is the name of a tactic, which may be that of a hypothesis: `left`."""
    return _BEGIN.search(step, 0, at) is not None


@lru_cache(maxsize=256)
def local_names(goal: str) -> LocalNames:
    """The names of a goal as Lean prints it.

    Args:
        goal: Main goal: perhaps a `case` line, lines of hypotheses, and a line that starts with `⊢`.
    """
    kinds: dict[str, str] = {}
    for names, kind in _DECLARED.findall(goal):
        for name in names.split():
            if re.fullmatch(_WORD, name):
                kinds.setdefault(name, _kind(" ".join(kind.split()), kinds))
    for name in _bound(goal):
        kinds.setdefault(name, "bound")
    free = {found[1] for found in _NAME.finditer(goal.partition("\n")[2] if goal.startswith("case ") else goal)}
    taken = free - set(kinds)
    plain: dict[str, str] = {}
    for name, kind in kinds.items():
        plain[name] = next(new for new in with_subscripts(*PLAIN[kind].split()) if new not in taken)
        taken.add(plain[name])
    return LocalNames(plain)


def _kind(kind: str, known: Mapping[str, str]) -> str:
    """What is declared with this type, as far as its text says."""
    *arguments, result = (part.strip("()") for part in kind.split(" → "))
    words = {word for part in (*arguments, result) for word in part.split()}
    types = {name for name, of in known.items() if of == "type"}
    if result == "Prop":
        return "predicate" if arguments else "proposition"
    if re.match(r"(Type|Sort)\b", result):
        return "type"
    if arguments and words <= types | _NUMBERS:
        return "function"
    if not arguments and result in _NUMBERS:
        return "number"
    return "element" if not arguments and result.split(" ")[-1] in types else "hypothesis"


def _bound(goal: str) -> Iterator[str]:
    """The names behind quantifiers and `fun`."""
    for binder in _BINDER.finditer(goal):
        at = binder.end()
        while found := _BOUND.match(goal, at):
            yield from (found[1] or found[2]).split()
            at = found.end()
            if found[2]:
                close = re.compile(r"[)}⦄]").search(goal, at)
                at = close.end() if close else at


def with_subscripts(*names: str) -> Iterator[str]:
    """The names, and then the first of them with the subscripts 1, 2, 3 and so on."""
    yield from names
    stem = names[0].rstrip(_SUBSCRIPTS)
    numbered = (stem + "".join(_SUBSCRIPTS[int(digit)] for digit in str(number)) for number in count(1))
    yield from (name for name in numbered if name not in names)
