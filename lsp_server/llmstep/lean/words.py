"""Words that a candidate replaces: `sorry`, a call of the `llmstep` tactic, a hole that Lean could not fill."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llmstep.lean.blocks import Item, Word, frames_of
from llmstep.lean.insertion_point import InsertionKind, InsertionPoint
from llmstep.lean.masking import hidden

if TYPE_CHECKING:
    from llmstep.lean.cursor_context import CursorContext

_BEFORE_BY: Final = frozenset(
    {":=", "=>", ",", "⟨", "(", "[", "{", "<|", "from", "then", "else", "exact", "refine", "refine'", ";"}
)
"""A term `by …` can follow these without parentheses."""
_AFTER_BY: Final = frozenset({")", "]", "}", "⟩", ",", "|", ";", "else", "then"})
_SEARCHES: Final = frozenset({"hint", "polyrith", "show_term"})
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|\n\s*|(.))", re.DOTALL)
CALLS: Final = frozenset({"llmstep", "llmstep?"})
"""The names of the tactic of the Lean package."""
_CONTROL: Final = {"n": "\n", "t": "\t", "r": "\r"}


def replaced_word(cursor: CursorContext) -> list[InsertionPoint]:
    """`sorry`, a call of `llmstep` or a hole: at the cursor, else the nearest on its line."""
    start, end = cursor.line
    spans = {
        word: _call_end(cursor, word) if word.token.text in CALLS else word.token.end
        for word in cursor.layout.words
        if start <= word.token.start < end and _replaceable(cursor, word)
    }
    if not spans:
        return [replaced_step(cursor, InsertionKind.CALL, call, call.end)] if (call := _search(cursor)) else []
    word = min(spans, key=lambda word: max(word.token.start - cursor.offset, cursor.offset - spans[word], 0))
    if word.token.text in CALLS:
        written = cursor.text[word.token.end : spans[word]].strip()
        return [replaced_step(cursor, InsertionKind.CALL, word.item, spans[word], prefix=_unquote(written))]
    if word.is_step:
        return [replaced_step(cursor, InsertionKind.SORRY, word.item, word.token.end)]
    if word.item is not None and cursor.masked[word.item.start : word.item.end].split() == ["exact", "sorry"]:
        return [replaced_step(cursor, InsertionKind.SORRY, word.item, word.token.end)]
    return [_term_point(cursor, word)]


def _search(cursor: CursorContext) -> Item | None:
    """The step at the cursor that only asks Lean for another one: `exact?`, `simp?`, `show_term …`."""
    for block in cursor.layout.blocks:
        for item in block.items:
            if not (item.head in _SEARCHES or item.head.endswith("?")):
                continue
            start = item.start
            if item is block.items[0] and not item.first.leads:
                start = block.opener.start
            between = sorted((cursor.offset, start if cursor.offset < start else item.end))
            inside = start <= cursor.offset <= item.end
            if inside or not cursor.masked[between[0] : between[1]].strip(" \t"):
                return item
    return None


def _replaceable(cursor: CursorContext, word: Word) -> bool:
    if word.token.text == "_":
        return word.token.start in cursor.holes and word.token.start <= cursor.offset <= word.token.end
    return word.token.text == "sorry" or word.is_step


def _call_end(cursor: CursorContext, word: Word) -> int:
    """Offset behind the string of an `llmstep` call; one on the next line is no part of it."""
    end = word.token.end
    literal = next(hidden(cursor.text, end), None)
    if literal and literal.kind == "string" and literal.closed and not cursor.text[end : literal.start].strip(" \t"):
        return literal.end
    return end


def _unquote(literal: str) -> str:
    """The text of a string literal of Lean."""

    def character(match: re.Match[str]) -> str:
        code = match.group(1) or match.group(2)
        plain = match.group(3) or ""
        return chr(int(code, 16)) if code else _CONTROL.get(plain, plain)

    return _ESCAPE.sub(character, literal[1:-1])


def replaced_step(
    cursor: CursorContext, kind: InsertionKind, item: Item | None, end: int, prefix: str = ""
) -> InsertionPoint:
    """Replaces a step. One that stands alone behind `by` or `=>` may become a block below it."""
    assert item is not None
    block = item.block
    anchors = (item.start,)
    among = block.kind == "alternative" or (block.owner is not None and block.owner.matches)
    on_line = among and block.opener.margin != "|"  # several alternatives on one line have no room below
    if block.inline and len(block.items) == 1 and block.opener.text in {"by", "=>"} and not on_line:
        comment = cursor.text[block.opener.end : item.start].rstrip()  # it stays
        return cursor.block_point(
            kind,
            block.opener.end + len(comment),
            end,
            block,
            lead=" ",
            long_lead="\n" + " " * block.hang,
            indent=block.hang,
            column=None,
            prefix=prefix,
            anchors=anchors,
        )
    return cursor.block_point(kind, item.start, end, block, prefix=prefix, anchors=anchors)


def _term_point(cursor: CursorContext, word: Word) -> InsertionPoint:
    """Replaces a term by `by …`, in parentheses where it is an argument."""
    token, before, after = word.token, word.before, word.after
    bare = before is not None and before.text in _BEFORE_BY
    bare = bare and (after is None or after.leads or after.text in _AFTER_BY)
    block = word.frame.block if word.frame else None
    hang = max(token.hang, block.column + 2 if block else 0)
    opening, closing = ("by", "") if bare else ("(by", ")")
    return cursor.point(
        InsertionKind.TERM,
        token.start,
        token.end,
        frames=frames_of(word.frame),
        anchors=(),  # the goals there are those of the step around the term
        lead=opening + " ",
        long_lead=opening + "\n" + " " * hang,
        tail=closing,
        indent=hang,
    )
