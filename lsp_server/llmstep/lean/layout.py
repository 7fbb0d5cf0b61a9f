"""The tactic blocks of a declaration, seen by layout alone, so that they are found in text that does not parse.

A block is a column with steps in it, opened by a token (`by`, `·`, `=>` of a case, `(` …). A step begins at the column
of its block, or behind `;`, and reaches to the next one; a line to the left of the column ends the block.
"""

from __future__ import annotations

from llmstep.lean.blocks import (
    ALTERNATIVES,
    CASES,
    CHOICES,
    COMBINATORS,
    COMMAS,
    PIPES,
    SURE_STEPS,
    Block,
    BlockKind,
    Bracket,
    Item,
    Word,
    begins_step,
)
from llmstep.lean.tokens import CLOSING, OPENING, Token, tokenize


class Layout:
    """The blocks of a declaration in the order of their openers, and the words asked for.

    Args:
        masked: Text without comments and strings.
        start: Offset behind the keyword of the declaration.
        end: Offset of its end.
        column: Column of its first token.
        words: Texts of the tokens to note.
    """

    def __init__(self, masked: str, start: int, end: int, column: int, words: frozenset[str] = frozenset()) -> None:
        self.blocks: list[Block] = []
        self.words: list[Word] = []
        self.body: Token | None = None
        """The `:=`, `where` or `|` behind which the body begins."""
        self.tokens = list(tokenize(masked, start, end))
        self._end = end
        self._column = column
        self._frames: list[Block | Bracket] = []
        self._pending: BlockKind | None = None
        self._fresh = False
        self._wanted = words
        last: Token | None = None
        before: Token | None = None
        for index, token in enumerate(self.tokens):
            after = self.tokens[index + 1] if index + 1 < len(self.tokens) else None
            self._place(token, last, before)
            self._act(token, last, after)
            before, last = last, token
        if self._pending is not None and last is not None:
            self._push(last, before, None)
        while self._frames:
            self._pop(end)

    def _place(self, token: Token, last: Token | None, before: Token | None) -> None:
        """Opens the block that is due, ends the blocks that `token` stands left of, begins a step."""
        if self._pending is not None and last is not None:
            outside = token.leads and (token.column <= self._limit() or self._outer_step(token))
            begins = begins_step(token) and not outside
            self._push(last, before, token if begins else None)
            if begins:
                return
        if token.leads:
            self._dedent(token)
        top = self._frames[-1] if self._frames else None
        at_column = isinstance(top, Block) and token.leads and token.column == top.column
        if isinstance(top, Block) and (self._fresh or at_column) and begins_step(token):
            top.items.append(Item(token, top, token.end))
        self._fresh = False

    def _limit(self) -> int:
        """A block inside another one is indented deeper than that; a bracket lifts the limit."""
        if not self._frames:
            return self._column
        top = self._frames[-1]
        return top.column if isinstance(top, Block) else -1

    def _outer_step(self, token: Token) -> bool:
        """`token` begins a step of a block around the open brackets, which were left open."""
        columns = [frame.column for frame in self._frames if isinstance(frame, Block)]
        return token.leads and token.text in SURE_STEPS and token.column in columns

    def _push(self, opener: Token, before: Token | None, first: Token | None) -> None:
        assert self._pending is not None
        hang = self._hang(self._pending, opener, before)
        column = hang if first is None else first.column
        block = Block(self._pending, opener, column, hang, tuple(self._frames), self._item())
        if first is not None:
            block.items.append(Item(first, block, first.end))
        self._pending = None
        self.blocks.append(block)
        self._frames.append(block)

    def _hang(self, kind: BlockKind, opener: Token, before: Token | None) -> int:
        """Column of the first step of a block that hangs below its opener."""
        if kind in {"bullet", "paren"}:
            return opener.column + (2 if kind == "bullet" else 1)
        outer = next((frame.column for frame in reversed(self._frames) if isinstance(frame, Block)), None)
        if any(isinstance(frame, Bracket) for frame in self._frames):
            return max(opener.indent, outer or 0) + 2
        if opener.margin in {"|", "_", "calc"}:
            return opener.hang
        if outer is not None:
            return outer + 2
        return (self._column if before is self.body and opener.text == "by" else opener.indent) + 2

    def _pop(self, at: int) -> None:
        frame = self._frames.pop()
        if isinstance(frame, Block):
            frame.end = at

    def _dedent(self, token: Token) -> None:
        if token.text in CLOSING:
            return
        while self._outer_step(token) and isinstance(self._frames[-1], Bracket):
            self._pop(token.start)
            while isinstance(inner := self._frames[-1], Block) and token.column < inner.column:
                self._pop(token.start)
        while self._frames:
            top = self._frames[-1]
            if not isinstance(top, Block) or (token.column >= top.column and top.items):
                return
            self._pop(token.start)

    def _act(self, token: Token, last: Token | None, after: Token | None) -> None:
        """What `token` opens and closes."""
        text = token.text
        if text in CLOSING:
            self._close(token)
        elif text == ",":
            self._comma(token)
        elif text == "|":
            self._pipe(token)
        elif text == "else":
            self._else(token)
        top = self._frames[-1] if self._frames else None
        item = top.items[-1] if isinstance(top, Block) and top.items else None
        if text == ";" and isinstance(top, Block):
            self._fresh = True
            while isinstance(top, Block) and top.opener.text == "<;>":
                self._pop(token.start)
                top = self._frames[-1]
            return
        for frame in self._frames:
            if isinstance(frame, Block) and frame.items:
                frame.items[-1].end = token.end
        starts = item is not None and item.first is token
        if text in self._wanted and self.body is not None:
            self.words.append(Word(token, tuple(self._frames), self._item(), last, after))
        if self.body is None and not self._frames and (text in {":=", "where"} or (text == "|" and token.leads)):
            self.body = token
        if text in OPENING:
            holds_steps = starts and text in "({"
            self._frames.append(Bracket(token, self._item(), holds_steps))
            self._pending = "paren" if holds_steps else None
        elif text in {"by", "decreasing_by"}:
            self._pending = "by"
        elif text == "<;>" and isinstance(top, Block):
            self._pending = "combinator"
        elif starts and text in {"·", "."}:
            self._pending = "bullet"
        elif starts and text in COMBINATORS:
            self._pending = "combinator"
        elif item is not None:
            self._inside(token, item)

    def _inside(self, token: Token, item: Item) -> None:
        """Openers inside a step of the innermost block."""
        if token.text == "=>" and (item.head in CASES or (item.head in ALTERNATIVES and item.piped)):
            self._pending = "case" if item.head in CASES else "alternative"
            item.piped = False
        elif token.text == "|":
            item.piped = True
            if item.head in CHOICES:
                self._pending = "combinator"
        elif token.text in {"then", "else"} and item.head == "if":
            self._pending = "branch"

    def _item(self) -> Item | None:
        return next(
            (frame.items[-1] for frame in reversed(self._frames) if isinstance(frame, Block) and frame.items), None
        )

    def _close(self, token: Token) -> None:
        """A closing bracket ends all blocks down to its partner; one without a partner is ignored."""
        for frame in reversed(self._frames):
            if isinstance(frame, Bracket) and OPENING[frame.token.text] == token.text:
                while self._frames[-1] is not frame:
                    self._pop(token.start)
                frame.close = token
                self._frames.pop()
                return

    def _comma(self, token: Token) -> None:
        """A comma in a term's bracket ends the blocks inside of it."""
        bracket = next((frame for frame in reversed(self._frames) if isinstance(frame, Bracket)), None)
        if bracket is None or bracket.holds_steps:
            return
        while (inner := self._frames[-1]) is not bracket:
            if isinstance(inner, Block) and inner.items and inner.items[-1].head in COMMAS:
                return
            self._pop(token.start)

    def _pipe(self, token: Token) -> None:
        """`|` behind a step on the same line begins the next alternative, unless the step may hold it."""
        while self._frames and not token.leads:
            top = self._frames[-1]
            if not isinstance(top, Block) or not top.items or top.items[-1].head in PIPES:
                return
            if top.kind not in {"alternative", "combinator", "by"}:
                return
            self._pop(token.start)

    def _else(self, token: Token) -> None:
        for frame in reversed(self._frames):
            if not isinstance(frame, Block):
                return
            if frame.kind == "branch":
                while self._frames[-1] is not frame:
                    self._pop(token.start)
                self._pop(token.start)
                return
