"""What a layout of tactic blocks is made of: blocks, their steps, brackets, and the words that matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import attrs

if TYPE_CHECKING:
    from llmstep.lean.tokens import Token

BlockKind = Literal["by", "bullet", "alternative", "case", "branch", "combinator", "paren"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALTERNATIVES: Final = _words("cases induction match fun_cases fun_induction")
"""Steps whose `| pattern => …` hold steps."""
CASES: Final = _words("case case' next on_goal as_aux_lemma")
"""Steps whose `=>` holds steps."""
COMBINATORS: Final = _words(
    "try repeat repeat' repeat1 repeat1' all_goals any_goals focus fail_if_success show_term iterate stop"
    " with_reducible with_reducible_and_instances unhygienic"
)
"""Steps that are followed by steps."""
CHOICES: Final = _words("first solve")
"""Steps whose `|` holds steps."""
PIPES: Final = CHOICES | ALTERNATIVES | _words("rcases obtain rintro rsuffices cases' fun")
"""Steps that may hold a `|` of their own."""
COMMAS: Final = _words("use exists existsi")
"""Steps that may hold a `,` of their own."""
NO_STEP: Final = _words(
    "with at using then else from where generalizing in only _ do termination_by decreasing_by deriving"
)
"""Words that no step begins with."""
SURE_STEPS: Final = _words(
    "exact intro intros apply refine constructor cases induction rw simp simp_all simpa rcases obtain rintro omega"
    " all_goals any_goals exfalso subst unfold by_cases ·"
)
"""Words that begin a step and nothing else: at the column of a block they end every bracket left open."""


@attrs.define(eq=False)
class Item:
    """A step of a block, with all that belongs to it."""

    first: Token
    block: Block
    end: int
    """Offset behind its last token."""
    piped: bool = False
    """A `|` of its own was seen whose `=>` is still to come."""

    @property
    def start(self) -> int:
        return self.first.start

    @property
    def head(self) -> str:
        return self.first.text


@attrs.define(eq=False)
class Bracket:
    """A bracket, and the step it was opened in."""

    token: Token
    item: Item | None
    holds_steps: bool
    close: Token | None = None


@attrs.define(eq=False)
class Block:
    """A tactic block; the column of an empty one is its `hang`."""

    kind: BlockKind
    opener: Token
    column: int
    hang: int
    """Column of a first step on a line of its own."""
    frames: tuple[Block | Bracket, ...]
    """What is open around it, outermost first."""
    owner: Item | None
    """The step that it belongs to."""
    items: list[Item] = attrs.field(factory=list)
    end: int = -1
    """Offset of the token that ended it."""

    @property
    def distributes(self) -> bool:
        """Its steps run on each of several goals."""
        return self.opener.text in {"<;>", "all_goals", "any_goals"}

    @property
    def inline(self) -> bool:
        """Its first step stands on the line of its opener."""
        return bool(self.items) and not self.items[0].first.leads


@attrs.frozen(eq=False)
class Word:
    """A token that a candidate may replace, with its surroundings."""

    token: Token
    frames: tuple[Block | Bracket, ...]
    item: Item | None
    before: Token | None
    after: Token | None

    @property
    def is_step(self) -> bool:
        return self.item is not None and self.item.first is self.token


def begins_step(token: Token) -> bool:
    """Whether a step can begin with `token`."""
    return (token.is_name and token.text not in NO_STEP) or token.text in {"·", ".", "(", "{"}
