"""What is refused before Lean is asked: text that is no step, that proves nothing, or that would run code.

Lean elaborates whatever stands in a document, and runs what it elaborates. So a candidate may hold nothing that Lean
could take for a command or a program, wherever it stands; what is left, Lean's parser judges (`llmstep.lean.recheck`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Final

from llmstep.lean import vocabulary
from llmstep.lean.insertion_point import InsertionPoint
from llmstep.lean.lexer import Lexeme, LexicalError, lex, words_of
from llmstep.lean.step import step_of
from llmstep.lean.step_words import CALLS
from llmstep.lean.tokens import CLOSING, OPENING
from llmstep.lean.vocabulary import computed_option, refused_option
from llmstep.printable import strange_character

MAX_LENGTH: Final = 4096
"""Most characters of a candidate."""
MAX_PROOF_LENGTH: Final = 32_768
"""Most characters of a whole proof."""
_BINDING: Final = frozenset({"intro", "intros", "rintro", "fun", "λ", "have", "let", "obtain", "set", "generalize"})
_OPENED: Final = frozenset({"(", ")", "→", "-", ">", ",", "."})
"""What may stand between the names behind `open`."""
_TACTIC_FOLLOWS: Final = frozenset({";", "<;>", "·", "by", "|", "=>"})


def prefilter(
    candidate: str,
    point: InsertionPoint,
    hypotheses: Iterable[str] = (),
    *,
    native: bool = False,
    max_length: int = MAX_LENGTH,
) -> str | None:
    """Why a candidate cannot count, as one sentence; None where Lean must decide.

    Args:
        hypotheses: Names in the goal, which hide a theorem of the same name.
        native: Whether proofs by compiled code may count.
        max_length: Most characters.
    """
    if reason := _characters(candidate, max_length):
        return reason
    try:
        tokens = step_of(candidate).lexemes
    except LexicalError as error:
        return str(error)
    if not tokens:
        return "It is empty."
    names = set(hypotheses)
    if reason := _words(tokens, names, native=native) or _opens(tokens):
        return reason
    if reason := refused_option(tokens) or computed_option(tokens):
        return reason
    if closing := _unopened(tokens):
        return f"It closes a bracket that it has not opened: `{closing}`."
    return _names_itself(tokens, point, names)


def may_name_itself(candidate: str, point: InsertionPoint) -> bool:
    """Whether `h.foo` in it may mean the theorem `Bar.foo` itself, or `foo.symm` or `+foo` a use of it.

    The first depends on the type of `h`, the second on what other theorems there are, the third on where it stands.
    """
    last = _parts(point.declaration.short)[-1:]
    try:
        tokens = step_of(candidate).lexemes
    except LexicalError:
        return True
    own = _own(point)
    for index, token in enumerate(tokens):
        parts = token.parts
        behind_dot = len(parts) > 1 or (index > 0 and tokens[index - 1].text == ".")
        if parts[-1:] == last and last and behind_dot:
            return True
        if any(parts[:length] in own for length in range(1, len(parts))):
            return True
        if parts in own and _is_option(tokens, index):
            return True
    return False


def hypothesis_names(goal: str) -> set[str]:
    """The names in front of the colons of a goal."""
    names: set[str] = set()
    for line in goal.split("⊢")[0].splitlines():
        before, colon, _ = line.partition(" :")
        if colon and not line.startswith(" "):
            names.update(before.split())
    return names


def _characters(candidate: str, max_length: int) -> str | None:
    if len(candidate) > max_length:
        return f"It is longer than {max_length} characters."
    strange = strange_character(candidate.replace("\r\n", "\n"))
    return f"It holds a character that no step needs: {strange}." if strange else None


def _words(tokens: Sequence[Lexeme], hypotheses: set[str], *, native: bool) -> str | None:
    """A word that no candidate may hold."""
    for index, token in enumerate(tokens):
        if token.text == "#" and (word := _after_hash(tokens, index, hypotheses)):
            return f"It is not a step: `#{word}` begins a command."
        if token.text == "@[":
            return "It is not a step: `@[` begins a command."
        parts = token.parts
        if token.text in {"unsafe", "safe"} and index and tokens[index - 1].text == "add":
            continue  # a rule of `aesop`; a term there would need brackets
        field = bool(parts) and token.glued and tokens[index - 1].text == "." and tokens[index - 1].glued
        for number, part in enumerate(parts):
            joined = part + "%" if _percent_follows(tokens, index) and number == len(parts) - 1 else part
            name = field or number > 0 or token.marked[number] != part
            for word in {part, *words_of(joined)}:
                if reason := _word(word, name=name, native=native):
                    return reason
                if word in vocabulary.SOFT_COMMANDS and not name and len(parts) == 1 and word not in hypotheses:
                    return f"It is not a step: `{word}` begins a command."
        if len(parts) > 1 and parts[0] in {"IO", "EIO", "BaseIO", "System"}:
            return f"It uses `{token.text}`, which runs code."
    return None


def _word(word: str, *, name: bool, native: bool) -> str | None:
    """What is against a word; a `name` is no keyword, but a field of another name, or quoted."""
    if word in vocabulary.RUNNING or word.startswith("unsafe"):
        return f"It uses `{word}`, which runs code while Lean checks it."
    if word in vocabulary.UNSOUND:
        return f"It uses `{word}`, which proves nothing."
    if word in vocabulary.NATIVE and not native:
        return f"It uses `{word}`, which trusts compiled code (`check.allowNativeDecide`)."
    if name:
        return None
    if word in vocabulary.ADMITTING:
        return f"It uses `{word}`, which proves nothing."
    if word in CALLS:
        return "It calls `llmstep` again."
    if word in vocabulary.OUTSIDE:
        return f"It uses `{word}`, which asks another program."
    if word in vocabulary.COMMANDS:
        return f"It is not a step: `{word}` begins a command."
    return None


def _percent_follows(tokens: Sequence[Lexeme], index: int) -> bool:
    return index + 1 < len(tokens) and tokens[index + 1].text == "%" and tokens[index + 1].glued


def _after_hash(tokens: Sequence[Lexeme], index: int, hypotheses: set[str]) -> str | None:
    """The command behind `#`; `#v[…]` and `#s`, a number of elements, are terms."""
    if index + 1 == len(tokens) or not tokens[index + 1].glued:
        return None
    parts = tokens[index + 1].parts
    is_term = not parts or len(parts[0]) <= 2 or parts[0] in hypotheses or parts[0] == "univ"
    return None if is_term else tokens[index + 1].text


def _opens(tokens: Sequence[Lexeme]) -> str | None:
    """`open … in` is a step; `open` without it is a command, and `open private` reaches what a module hides."""
    for index, token in enumerate(tokens):
        if token.text != "open" or (index and token.glued and tokens[index - 1].text == "."):
            continue
        following = tokens[index + 1 :]
        names = [each.text != "in" and (each.is_name or each.text in _OPENED) for each in following]
        end = names.index(False) if False in names else 0
        if end == 0 or following[end].text != "in":
            return "It is not a step: `open` begins a command."
    return None


def _unopened(tokens: Sequence[Lexeme]) -> str | None:
    """The first closing bracket without its partner."""
    expected: list[str] = []
    for token in tokens:
        text = {"@[": "[", "#(": "("}.get(token.text, token.text)
        if text in OPENING:
            expected.append(OPENING[text])
        elif text in CLOSING and (not expected or expected.pop() != text):
            return text
    return None


@functools.lru_cache(maxsize=64)
def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for token in lex(name) for part in token.parts) if name else ()


def _own(point: InsertionPoint) -> set[tuple[str, ...]]:
    """The theorem's full name, and what is left of it inside of its name spaces; the same of what else it may be."""
    parts = _parts(point.declaration.name)
    spaces = parts[: len(parts) - len(_parts(point.declaration.short))]
    names = [parts, *((*spaces, *_parts(other)) for other in point.declaration.others)]
    return {name[index:] for name in names for index in range(len(name))}


def _is_option(tokens: Sequence[Lexeme], index: int) -> bool:
    """Whether a name may be that of an option or an argument: `+native`, `(native := …)`, `{ native := … }`."""
    before = tokens[index - 1].text if index else ""
    behind = tokens[index + 1].text if index + 1 < len(tokens) else ""
    flag = before in {"+", "-"} and tokens[index].glued and not (index > 1 and tokens[index - 1].glued)
    return flag or (before in {"(", "{", ","} and behind == ":=")


def _names_itself(tokens: Sequence[Lexeme], point: InsertionPoint, bound: set[str]) -> str | None:
    """A use of the theorem, or of what is declared inside of it."""
    own = _own(point)
    binding = False
    for index, token in enumerate(tokens):
        before = tokens[index - 1].text if index else ";"
        if token.text in _BINDING:
            binding = True
        elif token.text in {":=", "=>", ":", ";"} or token.leads:
            binding = False
        elif binding and token.is_name:
            bound.add(token.text)
        tactic = token.leads or before in _TACTIC_FOLLOWS
        named = token.parts[1:] if token.parts[:1] == ("_root_",) else token.parts
        if tactic or token.text in bound or _is_option(tokens, index):
            continue
        if named in own:
            return f"It uses the theorem itself: `{point.declaration.short}`."
        if token.parts[:1] and token.parts[0] in point.helpers - bound:
            return f"It uses `{token.parts[0]}`, which is declared inside of the theorem."
    return None
