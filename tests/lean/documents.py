"""Documents for the tests of a Lean server, with marks for the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol.types import Position

if TYPE_CHECKING:
    from llmstep.lean.server import LeanServer

AND = "theorem both (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n"

CONTEXT = "p q : Prop\nhp : p\nhq : q\n"

WHOLE = CONTEXT + "⊢ p ∧ q"

LEFT = "case left\n" + CONTEXT + "⊢ p"

RIGHT = "case right\n" + CONTEXT + "⊢ q"

SLOW = (
    "set_option maxHeartbeats 0 in\nset_option maxRecDepth 1000000 in\ntheorem slow : True := by\n"
    "  iterate 1000000 (first | (have : 1 = 1 := rfl; clear this) | skip)\n  trivial\n"
)


def marked(text: str) -> tuple[str, Position]:
    """A text with a mark for the cursor, taken apart."""
    before, _, after = text.partition("▮")
    return before + after, Position(before.count("\n"), len(before.rpartition("\n")[2].encode("utf-16-le")) // 2)


def messages(diagnostics: list[dict[str, Any]], severity: int = 1) -> list[str]:
    return [diagnostic["message"] for diagnostic in diagnostics if diagnostic["severity"] == severity]


async def settle(server: LeanServer, uri: str, text: str) -> list[dict[str, Any]]:
    return await server.wait(uri, await server.change(uri, text))
