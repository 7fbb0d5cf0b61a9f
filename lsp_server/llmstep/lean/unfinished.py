"""Steps that are typed only in part, so that Lean's parser cannot go on behind them: `exact`, `rw [h`, `exa`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from llmstep.lean.blocks import begins_step
from llmstep.lean.step_words import CASES, CONVERSIONS, KNOWN_STEPS, OPEN_END, WITH_ARGUMENT

if TYPE_CHECKING:
    from llmstep.lean.blocks import Item
    from llmstep.lean.scene import Scene


def unfinished_step(scene: Scene) -> tuple[Item, int] | None:
    """The unfinished step that the cursor is in, behind, or on the line below; and the offset behind it."""
    for block in scene.around:
        item = next((item for item in reversed(block.items) if item.start <= scene.offset), None)
        if item is not None:
            break
    else:
        return None
    start, end = scene.line
    done = _end(scene, item)
    between = scene.masked[done : scene.offset]
    lines = 0 if scene.masked[start:end].strip() else 1
    if between.strip() or between.count("\n") > lines or not _is_unfinished(scene, item):
        return None
    return item, max(done, scene.offset)


def _end(scene: Scene, item: Item) -> int:
    """Offset behind a step; an open bracket takes no line of the block with it."""
    if item.unclosed is not None:
        tokens = [token for token in scene.layout.tokens if item.start <= token.start < item.end]
        for before, token in itertools.pairwise(tokens):
            if token.leads and token.column <= item.block.column and begins_step(token):
                return before.end
    return item.end


def _is_unfinished(scene: Scene, item: Item) -> bool:
    if item.unclosed is not None and not item.unclosed.holds_steps:
        return True
    last = next((token for token in reversed(scene.layout.tokens) if token.end == item.end), item.first)
    if last is not item.first:
        return last.text in OPEN_END or (item.head in CASES | CONVERSIONS and item.inner is None)
    word = item.head
    if word in WITH_ARGUMENT or word in CASES:
        return True
    return word not in KNOWN_STEPS and any(known.startswith(word) for known in KNOWN_STEPS)
