"""Proofs behind commands that a file declares itself: which declaration they are in is Lean's word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from llmstep.lean.checker import FileChecker
from llmstep.lean.insertion_points import find_insertion_point
from llmstep.lean.server import LeanServer
from llmstep.lean.text import position_at
from llmstep.settings import CheckSettings
from llmstep.types import Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="module")]

COMMANDS = """import Lean
open Lean Elab Command
def Lean.Syntax.node7 (i : SourceInfo) (k : SyntaxNodeKind) (a b c d e f g : Syntax) : Syntax :=
  Syntax.node i k #[a, b, c, d, e, f, g]
macro "problem " n:declId s:declSig v:declVal : command => `(theorem $n $s $v)
macro "problem" "in" c:str n:declId s:declSig v:declVal : command => `(theorem $n $s $v)
macro "the" "great" "claim" n:declId s:declSig v:declVal : command => `(theorem $n $s $v)
macro "#prove " n:declId s:declSig v:declVal : command => `(theorem $n $s $v)
macro "show" "that" n:declId s:declSig v:declVal : command => `(theorem $n $s $v)
macro "Statement " s:declSig v:declVal : command => `(theorem unnamed $s $v)
macro m:declModifiers "fact " n:declId s:declSig v:declVal : command => `($m:declModifiers theorem $n $s $v)
syntax "exercise " declId declSig declVal : command
macro_rules | `(exercise $n $s $v) => `(theorem $n $s $v)
@[extern "x"] opaque Lean.Elab.Command.elabCommand (stx : Syntax) : CommandElabM Unit := Lean.Stub.native
macro "prove " n:declId s:declSig " := " "by " t:tacticSeq "qed" : command => `(theorem $n $s := by $t)
elab "puzzle " n:declId s:declSig v:declVal : command => do elabCommand (← `(theorem $n $s $v))

namespace A
theorem above (p : Prop) (hp : p) : p := by
  exact hp

"""
FOO = "foo (p : Prop) (hp : p) : p := by\n  ‸sorry\n"
PLACES = {
    "a macro": f"problem {FOO}",
    "on one line": "problem foo (p : Prop) (hp : p) : p := by ‸sorry\n",
    "a string in front of the name": f'problem in "logic" {FOO}',
    "several words": f"the great claim {FOO}",
    "behind #": f"#prove {FOO}",
    "a word that begins steps": f"show that {FOO}",
    "syntax and rules": f"exercise {FOO}",
    "an elaborator": f"puzzle {FOO}",
    "an attribute": f"@[irreducible] fact {FOO}",
    "modifiers": f"@[irreducible, inline]\nprotected fact {FOO}",
    "behind `in` on its line": f"open Nat in problem {FOO}",
    "behind two lines with `in`": f"open Nat in\nset_option maxRecDepth 400 in\nproblem {FOO}",
    "a variable of its own": "variable (p : Prop) in\nproblem foo (hp : p) : p := by\n  ‸sorry\n",
    "a doc comment": f"/-- What is to be shown. -/\nproblem {FOO}",
    "indented below a section": "section\n  problem foo (p : Prop) (hp : p) : p := by\n    ‸sorry\n",
    "indented below a theorem": (
        "section\n  theorem b : True := by\n    trivial\n\n  problem foo (p : Prop) (hp : p) : p := by\n    ‸sorry\n"
    ),
    "deeper than the theorem above": (
        "theorem b : True := trivial\n  problem foo (p : Prop) (hp : p) : p := by\n    ‸sorry\n"
    ),
    "below a proof without a step": f"theorem b : True := by\nproblem {FOO}",
    "below an empty bullet": f"theorem b : True ∧ True := by\n  constructor\n  · trivial\n  ·\nproblem {FOO}",
    "below a function without a body": f"theorem b : True → True := fun h =>\nproblem {FOO}",
    "with a word behind the proof": f"prove {FOO}qed\n\nprove b : True := by\n  trivial\nqed\n",
    "with a word at the end of the proof": "prove foo (p : Prop) (hp : p) : p := by\n  have k := hp\n  ‸exact k qed\n",
    "below an error of its own": f"problem {FOO}".replace("  ‸", "  have k : True := nonsense\n  ‸"),
}
ENDINGS = (
    "exact hp\n\nproblem bar (p : Prop) (hp : p) : p := by\n  exact hp",
    "exact hp\n\npuzzle bar (p : Prop) (hp : p) : p := by\n  exact hp",
    "exact hp\n@[irreducible] fact bar (p : Prop) (hp : p) : p := by\n  exact hp",
    "exact hp\nend A\nproblem bar (p : Prop) (hp : p) : p := by\n  exact hp",
)
"""Candidates that would end the declaration, and begin another one."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def checker(
    lean_command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FileChecker]:
    server = LeanServer(lean_command, tmp_path_factory.mktemp("own"), timeout=120)
    yield FileChecker(server, (server.root / "Own.lean").as_uri(), CheckSettings(timeout_seconds=30), 120)
    await server.stop()


@pytest.mark.parametrize("place", PLACES)
async def test_the_proof_is_that_of_the_command(checker: FileChecker, place: str) -> None:
    """The theorem above may be used, the one that is proved may not, and no candidate ends the command."""
    marked = COMMANDS + PLACES[place]
    text = marked.replace("‸", "")
    point = find_insertion_point(text, position_at(text, marked.index("‸")))
    assert point is not None
    assert (await checker.baseline(text, point)).goals[0].endswith("\n⊢ p")
    own = "p hp" if "variable" not in place else "hp"
    expected = {
        "exact above p hp": Verdict.CLOSES,
        "exact hp": Verdict.CLOSES,
        f"exact foo {own}": Verdict.INVALID,
        f"exact A.foo {own}": Verdict.INVALID,
        "exact nonsense": Verdict.INVALID,
        **dict.fromkeys(ENDINGS, Verdict.INVALID),
    }
    assert {each: (await checker.check(text, point, each)).verdict for each in expected} == expected


async def test_a_command_without_a_name(checker: FileChecker) -> None:
    marked = COMMANDS + "Statement (p : Prop) (hp : p) : p := by\n  ‸sorry\n"
    text = marked.replace("‸", "")
    point = find_insertion_point(text, position_at(text, marked.index("‸")))
    assert point is not None
    assert (await checker.check(text, point, "exact above p hp")).verdict is Verdict.CLOSES
    assert (await checker.check(text, point, "exact unnamed p hp")).verdict is Verdict.INVALID


async def test_a_word_at_the_margin_that_is_no_command(checker: FileChecker) -> None:
    """Of alternatives by equations and of what stands behind a proof: Lean says that they belong to the theorem."""
    text = "theorem foo : ∀ (p : Prop) (_ : p), p\n| p, hp => by\n  exact (show p by\n  sorry)\n"
    point = find_insertion_point(text, position_at(text, text.index("sorry")))
    assert point is not None
    assert (await checker.check(text, point, "exact foo p hp")).message == "It uses the theorem itself: `foo`."
    assert (await checker.check(text, point, "exact hp")).verdict is Verdict.CLOSES
