"""The tactic blocks of a declaration, seen by layout alone, so that they are found in text that does not parse.

A block is a column with steps in it, opened by a token (`by`, `·`, `=>` of a case, `(` …). A step begins at the column
of its block, or behind `;`, and reaches to the next one; a line to the left of the column ends the block.

One pass over the tokens, each of which costs no more than the frames around it. What goes beyond `MAX_TOKENS` or
`DEEPEST` is not laid out: the layout ends there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from llmstep.lean.blocks import Block, BlockKind, Bracket, Frame, Item, Word, begins_step, block_of, outward
from llmstep.lean.declaration import Declaration
from llmstep.lean.step_words import CHOICES, COMBINATORS, COMMAS, PARTS_OF_TERMS, REPLACED, SURE_STEPS
from llmstep.lean.tokens import CLOSING, OPENING, Token, arrows_ahead, fields, opens_value, tokenize

MAX_TOKENS: Final = 10_000
"""Of a declaration: some thousand lines of a proof."""
DEEPEST: Final = 200
"""Most blocks and brackets inside of one another."""


class Layout:
    """The blocks of a declaration in the order of their openers, and the words that a candidate may replace.

    Args:
        masked: Text without comments and strings.
    """

    def __init__(self, masked: str, declaration: Declaration) -> None:
        self.blocks: list[Block] = []
        self.words: list[Word] = []
        self.body: Token | None = None
        """The `:=`, `where` or `|` behind which the body begins."""
        self._proof: Token | None = None
        """The `by` with which it begins."""
        self.end = declaration.end
        """Where the layout ends: that of the declaration, or of what is laid out."""
        self.tokens = list(itertools.islice(tokenize(masked, declaration.body, self.end), MAX_TOKENS + 1))
        if len(self.tokens) > MAX_TOKENS:
            self.end = self.tokens.pop().start
        self._column = declaration.column
        self._top: Frame | None = None
        self._pending: BlockKind | None = None
        """The kind of the block that the last token opens."""
        self._fresh = False
        """The last token was a `;`."""
        self._calc = -1
        """Column of the steps of the last `calc` whose first stands on a line of its own."""
        self._thens: list[tuple[Frame | None, Item | None]] = []
        """The `then` of terms, each with what it is inside of."""
        self._value = False
        """The last `|` belongs to an absolute value."""
        self._last_end = declaration.body
        """Offset behind the last token that belongs to the steps it is in."""
        self._arrows = arrows_ahead(self.tokens)
        self._fields = fields(self.tokens)
        self._read()

    @property
    def items(self) -> Iterator[Item]:
        return (item for block in self.blocks for item in block.items)

    def _read(self) -> None:
        last: Token | None = None
        for token, after in itertools.zip_longest(self.tokens, self.tokens[1:]):
            if self._top is not None and self._top.depth >= DEEPEST:
                self.end = token.start
                self.tokens = self.tokens[: self.tokens.index(token)]
                break
            if self._pending and last and last.text == "iterate" and token.text.isdigit():
                self._last_end = token.end  # of `iterate 3`
                continue
            self._place(token, last)
            self._act(token, last, after)
            last = token
        if self._pending is not None and last is not None:
            self._push(last, None)
        self._pop_to(None, self.end)

    @property
    def _step(self) -> Item | None:
        """The step that what comes next belongs to, where no bracket in it is open."""
        return self._top.items[-1] if isinstance(self._top, Block) and self._top.items else None

    @property
    def _bracket(self) -> Bracket | None:
        return next((each for each in outward(self._top) if isinstance(each, Bracket)), None)

    @property
    def _owner(self) -> Item | None:
        """The step that what comes next belongs to."""
        return self._step or (self._top.owner if self._top else None)

    def _place(self, token: Token, last: Token | None) -> None:
        """Opens the block that is due, ends the blocks that `token` stands left of, begins a step."""
        if self._pending is not None and last is not None:
            outside = token.leads and (self._is_left(token, last) or self._is_outer_step(token))
            begins = not outside and self._begins_step(token)
            self._push(last, token if begins else None)
            if begins:
                return
        if token.leads:
            self._dedent(token)
        top = self._top
        at_column = isinstance(top, Block) and token.leads and token.column == top.column
        if isinstance(top, Block) and (self._fresh or at_column) and self._begins_step(token):
            self._begin(top, token)
        self._fresh = False

    def _begins_step(self, token: Token) -> bool:
        return begins_step(token) and token.start not in self._fields

    def _is_left(self, token: Token, opener: Token) -> bool:
        """Whether a token at the start of a line stands too far left for the first step of the block that is due.

        A block inside another one is indented deeper than that; a bracket lifts the limit. The steps of an old proof
        may stand at the column of the declaration.
        """
        if opener.text == "by" and token.column <= opener.indent:
            in_term = self._top is None and opener.margin in PARTS_OF_TERMS and opener.margin != opener.text
            if in_term or opener.indent == self._calc:
                return True
        if self._top is None:
            return token.column < self._column or (token.column == self._column and not begins_step(token))
        return isinstance(self._top, Block) and token.column <= self._top.column

    def _is_outer_step(self, token: Token) -> bool:
        """`token` begins a step of a block around the open brackets, which were left open."""
        columns = (each.column for each in outward(self._top) if isinstance(each, Block))
        return token.leads and token.text in SURE_STEPS and token.column in columns

    def _begin(self, block: Block, token: Token) -> None:
        if block.items:
            block.items[-1].end = self._last_end
        block.items.append(Item(token, block, token.end))

    def _push(self, opener: Token, first: Token | None) -> None:
        assert self._pending is not None
        hang = self._hang(self._pending, opener)
        owner = self._owner
        block = Block(self._pending, opener, first.column if first else hang, hang, parent=self._top, owner=owner)
        if owner is not None:
            if block.kind in {"alternative", "case"} and opener.text == "=>":
                block.bar, owner.bar = owner.bar, None
            if owner.inner is None and block.kind != "by" and opener.text != "<;>":
                owner.inner = block
        if first is not None:
            self._begin(block, first)
        self._pending = None
        self.blocks.append(block)
        self._top = block

    def _hang(self, kind: BlockKind, opener: Token) -> int:
        """Column of the first step of a block that hangs below its opener."""
        if kind in {"bullet", "paren"}:
            return opener.column + (2 if kind == "bullet" else 1)
        block = block_of(self._top)
        if (bracket := self._bracket) is not None:
            hang = max(opener.indent, block.column if block else 0) + 2
            in_fields = bracket.token.text == "{" and not bracket.holds_steps and hang < bracket.column
            return bracket.column + 2 if in_fields else hang  # no field may stand to the right of its steps
        if opener.margin in {"|", "_", "calc", "where"} or opener.indent == self._calc:
            return opener.hang
        margin = self._column if opener is self._proof else opener.indent
        return (block.column if block else margin) + 2

    def _pop(self, at: int) -> None:
        frame = self._top
        assert frame is not None
        if isinstance(frame, Block):
            frame.end = at
            if frame.items:
                frame.items[-1].end = self._last_end
        elif frame.close is None and frame.owner is not None and frame.owner.unclosed is None:
            frame.owner.unclosed = frame
        self._top = frame.parent

    def _pop_to(self, frame: Frame | None, at: int) -> None:
        while self._top is not frame:
            self._pop(at)

    def _dedent(self, token: Token) -> None:
        if token.text in CLOSING:
            return
        if token.text in {"termination_by", "decreasing_by"}:
            self._pop_to(None, token.start)
        while isinstance(self._top, Bracket) and self._is_outer_step(token):
            self._pop(token.start)
            while isinstance(self._top, Block) and token.column < self._top.column:
                self._pop(token.start)
        least = token.column - (token.start in self._fields)  # a field ends what stands at its column
        while isinstance(top := self._top, Block) and (least < top.column or not top.items):
            if token.text == "|" and top.inline and top.items[-1].head in CHOICES and top.opener.indent <= token.column:
                break  # an alternative of `all_goals first`, which stands as far to the left as it likes
            self._pop(token.start)

    def _act(self, token: Token, last: Token | None, after: Token | None) -> None:
        """What `token` opens and closes."""
        text = token.text
        if text in CLOSING:
            self._close(token)
        elif text == ",":
            self._comma(token)
        elif text == "|":
            self._bar(token, last, after)
        elif text == "else":
            self._else(token)
        top, item = self._top, self._step
        if text == ";" and isinstance(top, Block):
            self._fresh = True
            while isinstance(self._top, Block) and self._top.opener.text == "<;>":
                self._pop(token.start)
            return
        self._last_end = token.end
        if text == "calc" and after is not None and after.leads:
            self._calc = after.column
        if text in REPLACED and self.body is not None:
            self.words.append(Word(token, top, self._owner, last, after))
        if self.body is None and top is None and (text in {":=", "where"} or (text == "|" and token.leads)):
            self.body = token
        starts = item is not None and item.first is token
        if text in OPENING:
            holds_steps = starts and text in "({"
            column = after.column if after else token.column + 1
            self._top = Bracket(token, holds_steps, column, parent=top, owner=self._owner)
            self._pending = "paren" if holds_steps else None
        elif text in {"by", "decreasing_by"}:
            self._pending = "by"
            self._proof = token if text == "by" and last is self.body else self._proof
        elif text == "then" and (item is None or item.head != "if"):
            self._thens.append((top, item))
        elif text == "<;>" and isinstance(top, Block):
            self._pending = "combinator"
        elif starts and text in {"·", "."}:
            self._pending = "bullet"
        elif starts and text in COMBINATORS:
            self._pending = "combinator"
        elif item is not None and item.opens_own_block(token, after):
            self._pending = "combinator" if starts else "case"
        elif item is not None:
            self._pending = item.opened_by(token, in_value=self._value) or self._pending

    def _close(self, token: Token) -> None:
        """A closing bracket ends all blocks down to its partner; one without a partner is ignored."""
        brackets = (each for each in outward(self._top) if isinstance(each, Bracket))
        partner = next((each for each in brackets if OPENING[each.token.text] == token.text), None)
        if partner is not None:
            partner.close = token
            self._pop_to(partner.parent, token.start)

    def _else(self, token: Token) -> None:
        """`else` ends what is inside of its `then`, be that a branch of steps or a part of a term."""
        around = list(outward(self._top))
        branch = next((each for each in around if isinstance(each, Bracket) or each.kind == "branch"), None)
        least = branch.depth if isinstance(branch, Block) else -1
        while self._thens:
            frame, item = self._thens.pop()
            is_open = frame is None or frame in around
            same_step = not isinstance(frame, Block) or (frame.items[-1] if frame.items else None) is item
            if is_open and same_step and (frame.depth if frame else -1) >= least:
                self._pop_to(frame, token.start)
                return
        if isinstance(branch, Block):
            self._pop_to(branch.parent, token.start)

    def _comma(self, token: Token) -> None:
        """A comma in a term's bracket ends the blocks inside of it."""
        bracket = self._bracket
        if bracket is None or bracket.holds_steps:
            return
        while self._top is not bracket and not (self._step and self._step.head in COMMAS):
            self._pop(token.start)

    def _bar(self, token: Token, last: Token | None, after: Token | None) -> None:
        """A `|` behind a step, or behind no step, on the same line ends the blocks inside of what it belongs to."""
        if isinstance(self._top, Block) and not self._top.items and self._top.opener.text in {"|", "=>"}:
            self._pop(token.start)
        item = self._step
        self._value = False
        if token.leads or item is None:
            return
        if item.barred or opens_value(token, last, after):
            item.barred = not item.barred
            self._value = True
            return
        if last is item.first and item.head == "intro":
            item.matches = True
        found, frame = item.block.owner_of_bar(arrow=token.start in self._arrows)
        if found:
            self._pop_to(frame, token.start)
