"""Where a candidate goes, found from the cursor by the layout of the text alone.

The rules work on text that does not parse. Where text cannot tell (is this bullet finished?), there are several sites,
and the first at which Lean has a goal is the right one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.lean.blocks import Block, Item
from llmstep.lean.place import ShadowText, Site, SiteKind
from llmstep.lean.scene import Scene, step_at
from llmstep.lean.text import line_end, mask
from llmstep.lean.words import replaced_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsprotocol.types import Diagnostic, Position

    from llmstep.lean.tokens import Token

__all__ = ["ShadowText", "Site", "SiteKind", "find_site", "find_sites"]


def find_site(text: str, position: Position, diagnostics: Sequence[Diagnostic] = ()) -> Site | None:
    """The likeliest place for a candidate at a position; None in a statement, a comment or outside of proofs.

    Args:
        diagnostics: Those of the document, where known: unsolved goals tell which block is unfinished.
    """
    return next(iter(find_sites(text, position, diagnostics)), None)


def find_sites(text: str, position: Position, diagnostics: Sequence[Diagnostic] = ()) -> list[Site]:
    """All places that may be meant, the likeliest first: take the first at which Lean has a goal."""
    scene = Scene.at(text, position, diagnostics)
    if scene is None:
        return []
    start, end = scene.line
    if not scene.masked[start:end].strip():
        if text[start:end].strip() or mask(text[: scene.offset] + "x")[-1] != "x":
            return []  # a comment
        return _filled_block(scene) or _dangling(scene) or _blank_line(scene)
    for rule in (replaced_word, _opener, _filled_block, _dangling, _before_step, _after_step):
        if sites := rule(scene):
            return sites
    return []


def _opener(scene: Scene) -> list[Site]:
    """At `by`: in front of its first step; behind the last one if Lean says that goals are unsolved."""
    for block in scene.layout.blocks:
        if block.kind == "by" and block.items and block.opener.start <= scene.offset <= block.opener.end:
            if block.opener.start in scene.unsolved:
                return [_after(scene, block.items[-1])]
            return [_before(scene, block.items[0])]
    return []


def _filled_block(scene: Scene) -> list[Site]:
    """A block without steps, from its opener to the blank lines behind."""
    empty = [
        block
        for block in scene.layout.blocks
        if not block.items and block.opener.start <= scene.offset <= max(block.end, block.opener.end)
    ]
    if not empty:
        return []
    block = empty[-1]
    start, end = scene.line
    anchors = (scene.offset, block.opener.end, block.opener.start)
    if block.opener.end < start:  # on a blank line behind
        column = scene.blanks if scene.blanks > _limit(scene, block) else block.hang
        return [_line_site(scene, block, column, anchors)]
    after = block.opener.end
    if not scene.blank_after(after):  # `(by )`, `⟨by, …⟩`
        blanks = len(scene.text[after:end]) - len(scene.text[after:end].lstrip())
        lead = "" if block.kind == "paren" else " "
        hang = block.opener.column + 3
        return [
            scene.block_site(
                SiteKind.BLOCK, after, after + blanks, block, lead=lead, indent=hang, column=None, anchors=anchors
            )
        ]
    comment = scene.text[after:end].strip() != ""
    if block.opener.text in {"by", "then", "else"}:
        at = (end, end) if comment else (after, end)
        return [scene.block_site(SiteKind.BLOCK, *at, block, lead="\n" + " " * block.hang, anchors=anchors)]
    at = (after, after) if comment else (after, end)
    below = "\n" + " " * block.hang if block.opener.text == "=>" else None
    lead = "" if block.kind == "paren" else " "
    indent = block.opener.column + len(block.opener.text) + 1 if block.kind == "combinator" else block.hang
    return [scene.block_site(SiteKind.BLOCK, *at, block, lead=lead, long_lead=below, indent=indent, anchors=anchors)]


def _limit(scene: Scene, block: Block) -> int:
    """The steps of a block stand to the right of this column."""
    outer = next((frame.column for frame in reversed(block.frames) if isinstance(frame, Block)), None)
    return scene.declaration.column if outer is None else outer


def _line_site(scene: Scene, block: Block, column: int, anchors: Sequence[int]) -> Site:
    start, end = scene.line
    kind = SiteKind.LINE if block.items else SiteKind.BLOCK
    probe = {} if block.items else {"column": None if block.kind != "combinator" else _limit(scene, block)}
    return scene.block_site(kind, start, end, block, lead=" " * column, indent=column, anchors=anchors, **probe)


def _dangling(scene: Scene) -> list[Site]:
    """Behind a `:=` without a term, or a `;` without a step."""
    token = scene.last_token
    if token is None or token.text not in {":=", ";"} or not scene.blank_after(token.end):
        return []
    start, end = scene.line
    blank = not scene.masked[start:end].strip()
    if token.text == ";":
        block = next(iter(scene.around), None)
        if block is None or blank:
            return []
        return [scene.block_site(SiteKind.AFTER, token.end, end, block, lead=" ", anchors=(token.start,))]
    following = next((other for other in scene.layout.tokens if other.start >= token.end), None)
    block = next(iter(scene.around), None)
    column = block.column if block else scene.declaration.column
    if following is not None and following.column > column:
        return []
    lead = "\n" + " " * (column + 2)
    return [
        scene.site(
            SiteKind.TERM,
            token.end,
            end,
            frames=(*block.frames, block) if block else (),
            anchors=(),
            lead=" by" + lead,
            indent=column + 2,
        )
    ]


def _blank_line(scene: Scene) -> list[Site]:
    """Fills a blank line, in the block that its blanks reach, else in the block of the step before."""
    last = scene.last_token
    if last is None:
        return []
    column = scene.blanks
    far = scene.text.count("\n", last.end, scene.offset) > 1
    open_blocks = [block for block in scene.around if block.items and not _crosses(block, scene.offset)]
    blocks = [block for block in open_blocks if scene.is_scope(block)]
    ends = not any(token.start > scene.offset for token in scene.layout.tokens)
    unfinished = any(block.opener.start in scene.unsolved for block in blocks)
    if far and ends and not unfinished and not any(block.column <= column for block in blocks):
        return []  # the proof ended above

    def rank(block: Block) -> tuple[bool, bool, int]:
        fits = block.column <= column if column else True
        return (block.opener.start not in scene.unsolved, not fits, -block.column if fits else block.column)

    if not blocks and open_blocks:
        blocks = open_blocks[-1:]
    sites = [_line_site(scene, block, block.column, _anchors(scene, block)) for block in sorted(blocks, key=rank)]
    return sites or _after_step(scene)


def _anchors(scene: Scene, block: Block) -> tuple[int, ...]:
    """Where Lean shows the goals of a blank line: at the column of its block, or behind the step before."""
    start, end = scene.line
    if end - start == block.column == scene.blanks:
        return (end,)
    before = next((item for item in reversed(block.items) if item.end <= scene.offset), None)
    return () if before is None or scene.ends_inside(before) else (before.end,)


def _crosses(block: Block, offset: int) -> bool:
    """A step of the block begins before `offset` and goes on behind it."""
    return any(item.start < offset < item.end for item in block.items)


def _before_step(scene: Scene) -> list[Site]:
    """At the first column of a step, or in its indentation."""
    tokens = scene.line_tokens
    first: Token | None = tokens[0] if tokens and scene.offset <= tokens[0].start else None
    here = first or next((token for token in tokens if token.start == scene.offset), None)
    item = step_at(scene.layout.blocks, here) if here else None
    if item is None or not (item.first.leads or scene.is_scope(item.block)):
        return []
    return [_before(scene, item)]


def _before(scene: Scene, item: Item) -> Site:
    block = item.block
    below = item.first.leads or block.kind == "bullet" or (block.inline and not block.frames)
    tail = "\n" + " " * item.first.column if below else "; "
    return scene.block_site(
        SiteKind.BEFORE, item.start, item.start, block, tail=tail, indent=item.first.column, anchors=(item.start,)
    )


def _after_step(scene: Scene) -> list[Site]:
    """Inside a step or at its end; if that ends a block, behind the block as well."""
    sites: list[Site] = []
    inner: Item | None = None
    for block in scene.around:
        item = next((item for item in reversed(block.items) if item.start < scene.offset), None)
        if item is None or not scene.is_scope(block):
            continue
        if inner is None or item.end == inner.end:
            sites.append(_after(scene, item))
            inner = item
        else:
            break
    return sites


def _after(scene: Scene, item: Item) -> Site:
    block, end = item.block, item.end
    if not scene.blank_after(end):
        return scene.block_site(SiteKind.AFTER, end, end, block, lead="; ", anchors=(end,))
    margin = line_end(scene.text, end)
    at = end if "/-" in scene.text[end:margin] else margin
    blanks = end if scene.text[end:margin].strip() == "" else at
    lead = "\n" + " " * block.column
    anchors = () if scene.ends_inside(item) else (end,)
    return scene.block_site(SiteKind.AFTER, min(blanks, at), at, block, lead=lead, anchors=anchors)
