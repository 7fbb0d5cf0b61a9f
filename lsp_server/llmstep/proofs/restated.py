"""From a block of code to proofs for one place: a theorem restated, perhaps with lemmas in front, or steps alone.

Only the proof is taken, never the statement, so that a model which proves something else has proved nothing: Lean
judges the proof at the user's own goal.
"""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Sequence
from typing import Final

import attrs

from llmstep.lean.commands import Command, find_commands
from llmstep.lean.declaration import find_declaration
from llmstep.lean.step_words import KNOWN_STEPS
from llmstep.lean.text import column_at, mask
from llmstep.lean.tokens import body_of

_THEOREMS: Final = frozenset({"theorem", "lemma", "example"})
_OPEN: Final = re.compile(r"^open((?:[ \t]+[\w.'«»]+)+)[ \t]*$", re.MULTILINE)
_SCOPED: Final = frozenset({"scoped", "hiding", "renaming", "in"})
_BY: Final = re.compile(r"\s*by\b")
_WORD: Final = re.compile(r"[\w'!?]+|\S")
_EITHER: Final = frozenset({"have", "show", "let", "calc", "match", "if", "suffices", "nomatch", "nofun", "return"})
"""Words that begin a step or a term."""
_CLOSING: Final = re.compile(r"^(?:end\b.*|done|qed)\s*$", re.MULTILINE)


@attrs.frozen
class Wanted:
    """What a proof is wanted for."""

    name: str = ""
    """The theorem's name as it is written; empty where it has none."""
    before: str = ""
    """The steps of its proof in front of the place."""
    opened: frozenset[str] = frozenset()
    """Name spaces that the file opens."""


def opened_in(masked: str) -> frozenset[str]:
    """The name spaces that masked text opens by plain `open` commands."""
    return frozenset(name for match in _OPEN.finditer(masked) for name in match[1].split())


def proofs_in(code: str, wanted: Wanted) -> list[str]:
    """The proofs that a block of code may mean, the likeliest first: steps, the first at column 0."""
    masked = mask(code)
    commands = [each for each in find_commands(masked) if each.keyword in _THEOREMS]
    main = _main(masked, commands, wanted.name)
    if main is None:
        bare = code.strip()
        found = _from_body(bare[2:] if bare.startswith(":=") else code)
    else:
        found = _declared(code, masked, commands, main, wanted.opened)
    proofs = [_gaps(_behind(each, wanted.before)) for each in found]
    return list(dict.fromkeys(each for each in proofs if each.strip()))


def _main(masked: str, commands: Sequence[Command], name: str) -> Command | None:
    """The declaration that is the wanted one by its name, else the last."""
    named = [each for each in commands if name and re.match(rf"\s*{re.escape(name)}(?![\w'.])", masked[each.end :])]
    found = named or list(commands)
    return found[-1] if found else None


def _declared(code: str, masked: str, commands: Sequence[Command], main: Command, already: frozenset[str]) -> list[str]:
    split = _split(code, masked, main)
    if split is None:
        return []
    lemmas = [_as_step(code, masked, each) for each in commands if each.start < main.start]
    front = "".join(each + "\n" for each in lemmas if each)
    proofs = [front + proof for proof in _from_body(split[1])]
    opened = opened_in(masked)
    missing = sorted(opened - already)
    if missing and not _SCOPED & opened:
        proofs += [f"open {' '.join(missing)} in\n{textwrap.indent(proof, '  ')}" for proof in proofs[:1]]
    return proofs


def _split(code: str, masked: str, command: Command) -> tuple[str, str] | None:
    """What stands between a declaration's name and its `:=`, and what stands behind that."""
    declaration = find_declaration(masked, command.end)
    if declaration is None:
        return None
    body = body_of(masked, declaration.body, declaration.end)
    if body is None or body.text != ":=":  # cut off in its statement, or by cases
        return None
    # `end Name` and the like at the margin are none of its steps.
    closing = _CLOSING.search(masked, command.end, declaration.end)
    end = closing.start() if closing else declaration.end
    return code[declaration.name_span[1] : body.start], code[body.end : end]


def _as_step(code: str, masked: str, command: Command) -> str | None:
    """A lemma in front of the theorem as a `have`, which takes the same binders."""
    split = _split(code, masked, command)
    name = re.match(r"\s*([^\W\d][\w']*)(?![\w.'])", masked[command.end :])
    if split is None or name is None or command.keyword == "example":
        return None
    statement, body = split
    text = f"have {name[1]}{statement.rstrip()} :={body.rstrip()}"
    margin = column_at(code, command.start) + command.margin
    return "\n".join(_left(line, margin) for line in text.split("\n"))


def _from_body(body: str) -> list[str]:
    """The steps of what stands behind `:=`: those behind `by`, those of a forgotten `by`, or the term."""
    by = _BY.match(mask(body))
    if by:
        return [aligned(body[by.end() :])]
    first = _WORD.match(mask(body).strip())
    if first is None:
        return []
    steps = aligned(body)
    term = f"exact ({textwrap.indent(steps, '  ').strip()})" if "\n" in steps else f"exact {steps}"
    if first[0] in _EITHER:
        return [steps, term]
    return [steps] if first[0] in KNOWN_STEPS or first[0] == "·" else [term, steps]


def aligned(steps: str) -> str:
    """Steps with the first at column 0 and the others as far to the right of it as they are meant to be."""
    lines = [line.rstrip() for line in steps.expandtabs(2).split("\n")]
    while lines and not lines[0].strip():
        lines.pop(0)
    inline = bool(steps.split("\n")[0].strip())  # behind `by` on its line, so that its column is not known
    if not lines:
        return ""
    first, rest = lines[0], lines[1:]
    widths = [len(line) - len(line.lstrip()) for line in rest if line.strip()]
    shift = min(widths, default=0) if inline else min([len(first) - len(first.lstrip()), *widths])
    return "\n".join([first.lstrip() if inline else first[shift:], *(_left(line, shift) for line in rest)]).strip("\n")


def _behind(proof: str, before: str) -> str:
    """The part of a proof that stands behind steps which the file has already; all of it where they are not there."""
    at = _matched(proof, before)
    if at is None:
        return proof
    rest = proof[at:]
    start = at + len(rest) - len(rest.lstrip())
    column = column_at(proof, start)
    first, *others = proof[start:].split("\n")
    kept = itertools.takewhile(lambda line: not line.strip() or len(line) - len(line.lstrip()) >= column, others)
    return "\n".join([first, *(_left(line, column) for line in kept)]).rstrip()


def _left(line: str, columns: int) -> str:
    """A line without so many of the blanks that it begins with, if it has them."""
    return line[min(columns, len(line) - len(line.lstrip())) :]


def _matched(proof: str, before: str) -> int | None:
    """Offset behind the beginning of a proof that is `before`, blanks aside."""
    wanted = "".join(before.split())
    at = 0
    for character in wanted:
        while proof[at : at + 1].isspace():
            at += 1
        if proof[at : at + 1] != character:
            return None
        at += 1
    return at or None


def _gaps(proof: str) -> str:
    """A proof with `sorry` for the other word that leaves a gap."""
    masked = mask(proof)
    places = [match.span() for match in re.finditer(r"(?<![\w.'«])admit(?![\w'!?»])", masked)]
    for start, end in reversed(places):
        proof = proof[:start] + "sorry" + proof[end:]
    return proof
