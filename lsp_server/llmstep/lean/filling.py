"""Places where something is missing, or stands for it: `sorry`, an empty block, a step that is typed only in part."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any, Final

from llmstep.lean import step_words as words
from llmstep.lean.blocks import Block, Bracket, Item, Word, begins_step, block_of
from llmstep.lean.cursor_context import CursorContext
from llmstep.lean.insertion_point import InsertionKind, InsertionPoint
from llmstep.lean.masking import hidden
from llmstep.lean.tokens import CLOSING, Token

_BEFORE_BY: Final = frozenset(
    {":=", "=>", ",", "⟨", "(", "[", "{", "<|", "from", "then", "else", "exact", "refine", "refine'", ";"}
)
"""A term `by …` can follow these without parentheses."""
_AFTER_BY: Final = frozenset({")", "]", "}", "⟩", ",", "|", "else", "then"})
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|\n\s*|(.))", re.DOTALL)
_CONTROL: Final = {"n": "\n", "t": "\t", "r": "\r"}
_LONGEST_NAME: Final = 200


def replaced_word(cursor: CursorContext) -> list[InsertionPoint]:
    """`sorry`, a call of `llmstep` or a hole: at the cursor, else the nearest on its line."""
    start, end = cursor.line
    spans = {
        word: _call_end(cursor, word) if word.token.text in words.CALLS else word.token.end
        for word in cursor.layout.words
        if start <= word.token.start < end and _is_replaceable(cursor, word)
    }
    if not spans:
        return [replaced_step(cursor, InsertionKind.CALL, call, call.end)] if (call := _search(cursor)) else []
    word = min(spans, key=lambda word: max(word.token.start - cursor.offset, cursor.offset - spans[word], 0))
    item, stop = word.item, spans[word]
    is_exact = item is not None and cursor.masked[item.start : item.end].split() == ["exact", "sorry"]
    if item is None or not (word.is_step or is_exact):
        return [_term_point(cursor, word)]
    if word.token.text in words.CALLS:
        prefix = _unquote(cursor.text[word.token.end : stop].strip())
        return [replaced_step(cursor, InsertionKind.CALL, item, stop, prefix=prefix)]
    return [replaced_step(cursor, InsertionKind.SORRY, item, stop)]


def _search(cursor: CursorContext) -> Item | None:
    """The step at the cursor that only asks Lean for another one: `exact?`, `simp?`, `show_term …`."""
    for item in cursor.layout.items:
        if item.head in words.SEARCHES or item.head.endswith("?"):
            inline = item is item.block.items[0] and not item.first.leads
            start = item.block.opener.start if inline else item.start
            between = cursor.masked[cursor.offset : start] + cursor.masked[item.end : cursor.offset]
            if not between.strip(" \t"):
                return item
    return None


def _is_replaceable(cursor: CursorContext, word: Word) -> bool:
    if word.token.text == "_":
        return word.token.start in cursor.holes and cursor.is_at(word.token)
    return word.token.text == "sorry" or word.is_step


def _call_end(cursor: CursorContext, word: Word) -> int:
    """Offset behind the string of an `llmstep` call; one on the next line is no part of it."""
    end = word.token.end
    literal = next(hidden(cursor.text, end), None)
    if literal and literal.kind == "string" and literal.closed and not cursor.text[end : literal.start].strip(" \t"):
        return literal.end
    return end


def _unquote(literal: str) -> str:
    def character(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        plain = match[3] or ""
        return chr(int(code, 16)) if code else _CONTROL.get(plain, plain)

    return _ESCAPE.sub(character, literal[1:-1])


def replaced_step(
    cursor: CursorContext, kind: InsertionKind, item: Item, end: int, *, prefix: str = ""
) -> InsertionPoint:
    """Replaces a step. One that stands alone behind `by` or `=>` may become a block below it."""
    block, opener = item.block, item.block.opener
    start, more = item.start, dict[str, Any]()
    among = block.owner is not None and block.owner.matches and opener.margin != "|"
    on_line = among or cursor.is_among(opener)  # several alternatives on one line have no room below
    if block.inline and len(block.items) == 1 and opener.text in {"by", "=>"} and not on_line:
        start = opener.end + len(cursor.text[opener.end : start].rstrip())  # a comment stays
        more = {"lead": " ", "long_lead": "\n" + " " * block.hang, "indent": block.hang, "column": None}
    return cursor.block_point(kind, start, end, block, prefix=prefix, anchors=(item.start,), **more)


def _term_point(cursor: CursorContext, word: Word) -> InsertionPoint:
    """Replaces a term by `by …`, in parentheses where it is an argument."""
    token, before, after = word.token, word.before, word.after
    bare = before is not None and before.text in _BEFORE_BY
    bare = bare and (after is None or after.leads or after.text in _AFTER_BY)
    block = block_of(word.frame)
    hang = max(token.hang, block.column + 2 if block else 0)
    opening, closing = ("by", "") if bare else ("(by", ")")
    long_lead: str | None = opening + "\n" + " " * hang
    if cursor.is_among(token) or _in_fields(word, hang):
        hang, long_lead = token.column + len(opening) + 1, None
    return cursor.point(
        *(InsertionKind.TERM, token.start, token.end, word.frame),
        anchors=(),  # the goals there are those of the step around the term
        lead=opening + " ",
        long_lead=long_lead,
        tail=closing,
        indent=hang,
    )


def _in_fields(word: Word, column: int) -> bool:
    """Whether a column is too far to the left for what belongs to a field of the structure around a word."""
    return isinstance(word.frame, Bracket) and word.frame.token.text == "{" and column <= word.frame.column


def filled_block(cursor: CursorContext) -> list[InsertionPoint]:
    """A block without steps, from its opener to the blank lines behind."""
    empty = [
        block
        for block in cursor.layout.blocks
        if not block.items and block.opener.start <= cursor.offset <= max(block.end, block.opener.end)
    ]
    if not empty:
        return []
    block, kind = empty[-1], InsertionKind.BLOCK
    opener, after = block.opener, block.opener.end
    start, end = cursor.line
    anchors = (cursor.offset, after, opener.start)
    if after < start and cursor.is_blank(start, end):  # on a blank line behind
        column = cursor.blanks if cursor.blanks > _limit(cursor, block) else block.hang
        return [line_point(cursor, block, column, anchors)]
    lead = "" if block.kind == "paren" else " "
    if not cursor.blank_after(after):  # `(by )`, `⟨by, …⟩`
        behind = after + len(cursor.text[after:end]) - len(cursor.text[after:end].lstrip())
        tail = "" if cursor.text[behind] in ")]}⟩,;" else " "  # `then … else`
        more = {"lead": lead, "tail": tail, "indent": opener.column + 3}
        return [cursor.block_point(kind, after, behind, block, column=None, anchors=anchors, **more)]
    comment = cursor.text[after:end].strip() != ""
    below = "\n" + " " * block.hang
    if opener.text in {"by", "then", "else"}:
        return [cursor.block_point(kind, end if comment else after, end, block, lead=below, anchors=anchors)]
    indent = opener.column + len(opener.text) + 1 if block.kind == "combinator" else block.hang
    long_lead = below if opener.text == "=>" else None
    end = after if comment else end
    more = {"lead": lead, "long_lead": long_lead, "indent": indent}
    return [cursor.block_point(kind, after, end, block, anchors=anchors, **more)]


def _limit(cursor: CursorContext, block: Block) -> int:
    """The steps of a block stand to the right of this column."""
    outer = block_of(block.parent)
    return cursor.declaration.column if outer is None else outer.column


def line_point(cursor: CursorContext, block: Block, column: int, anchors: Sequence[int]) -> InsertionPoint:
    """On the cursor's line, at a column, or below the comment that it holds."""
    start, end = cursor.line
    lead, comment = " " * column, cursor.comment_line()
    if comment is not None:  # it stays
        start, end, lead = comment, comment, "\n" + lead
    kind = InsertionKind.LINE if block.items else InsertionKind.BLOCK
    probe = {} if block.items else {"column": None if block.kind != "combinator" else _limit(cursor, block)}
    return cursor.block_point(kind, start, end, block, lead=lead, indent=column, anchors=anchors, **probe)


def dangling(cursor: CursorContext) -> list[InsertionPoint]:
    """Behind a `:=` without a term, or a `;` without a step."""
    token = cursor.last_token
    if token is None or token.text not in {":=", ";"} or not cursor.blank_after(token.end):
        return []
    start, end = cursor.line
    comment = cursor.text[token.end : end].strip() != ""  # it stays
    block = next(iter(cursor.around), None)
    if token.text == ";":
        if block is None or cursor.is_blank(start, end) or token.end < start:
            return []
        start, lead = (end, "\n" + " " * block.column) if comment else (token.end, " ")
        return [cursor.block_point(InsertionKind.AFTER, start, end, block, lead=lead, anchors=(token.start,))]
    item = next((each for each in reversed(block.items) if each.start < token.start), None) if block else None
    inside = {each.text for each in cursor.tokens_between(item.start if item else token.start, token.start)}
    if item is not None and not inside & {"calc", ":", ":="}:
        return []  # no type that a proof could have
    column = block.column if block else cursor.declaration.column
    following = next((other for other in cursor.layout.tokens if other.start >= token.end), None)
    next_step = "calc" in inside and following is not None and following.leads and following.text == "_"
    if following is not None and following.column > column and not next_step:
        return []
    hang = max(column + 2, token.hang)
    end = token.end if comment else end
    lead = " by\n" + " " * hang
    return [cursor.point(InsertionKind.TERM, token.end, end, block, anchors=(), lead=lead, indent=hang)]


def unfinished_step(cursor: CursorContext) -> list[InsertionPoint]:
    """In place of a step that is typed only in part; every candidate begins with what is there, if that is one line.

    The cursor is in the step, behind it, or on the line below.
    """
    lines = 1 if cursor.is_blank(*cursor.line) else 0
    innermost = True
    for block in cursor.around:
        item = next((item for item in reversed(block.items) if item.start <= cursor.offset), None)
        if item is None:
            continue
        done = _end(cursor, item)
        near = cursor.is_blank(done, cursor.offset) and cursor.masked.count("\n", done, cursor.offset) <= lines
        if near and (_is_unfinished(cursor, item) if innermost else _is_open(item)):
            done = max(done, cursor.offset)
            written = cursor.text[item.start : done]
            prefix = "" if "\n" in written else written
            return [replaced_step(cursor, InsertionKind.UNFINISHED, item, done, prefix=prefix)]
        innermost = False
    return []


def _end(cursor: CursorContext, item: Item) -> int:
    """Offset behind a step; an open bracket takes no line with it that is of the block, or around that."""
    if item.unclosed is not None:
        for before, token in itertools.pairwise(cursor.tokens_between(item.start, item.end)):
            if token.leads and token.text not in CLOSING and _is_outside(token, item):
                return before.end
    return item.end


def _is_outside(token: Token, item: Item) -> bool:
    """Whether the line that begins with a token is none of a step's own."""
    if token.column <= item.block.column and begins_step(token):
        return True
    margin = item.first.indent
    return token.column < margin or (token.column == margin and token.text in {"|", "else", "_"})


def _is_open(item: Item) -> bool:
    return item.unclosed is not None and not item.unclosed.holds_steps


def _is_unfinished(cursor: CursorContext, item: Item) -> bool:
    if _is_open(item):
        return True
    word, tokens = item.head, cursor.tokens_between(item.start, item.end)
    last = tokens[-1]
    if last is item.first:
        if word in words.KNOWN_STEPS:
            return word in words.WITH_ARGUMENT | words.CASES | words.CHOICES
        return any(known.startswith(word) for known in words.KNOWN_STEPS)
    named = word in words.NAMING and item.end - item.start < _LONGEST_NAME
    if named and not any(each.text in {":", ":=", "|"} for each in tokens):
        return True  # `have h`
    if last.text in words.OPEN_END or (last.text == "|" and word in words.PATTERNS):
        return True
    return word in words.CASES | words.CONVERSIONS and item.inner is None
