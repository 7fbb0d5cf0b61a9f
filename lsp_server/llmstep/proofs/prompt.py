"""What a model that writes a whole proof is given: the file up to the goal, later what Lean says of the proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from llmstep.catalog.cutting import middle_out
from llmstep.printable import counted

if TYPE_CHECKING:
    from llmstep.catalog.models import ProofStyle
    from llmstep.engine.interface import Turn
    from llmstep.lean.trial import Fault, Trial

FILE_TOKENS: Final = 6000
"""Most tokens of the file, by an estimate."""
_BYTES_PER_TOKEN: Final = 3
_MAX_FAULTS: Final = 6
_MAX_MESSAGE: Final = 700
_LINES_AROUND: Final = 2

_PLAN: Final = (
    "Complete the following Lean 4 code:\n\n```lean4\n{code}```\n\nBefore producing the Lean 4 code to formally prove"
    " the given theorem, provide a detailed proof plan outlining the main proof steps and strategies.\nThe plan should"
    " highlight key ideas, intermediate lemmas, and proof structures that will guide the construction of the final"
    " formal proof."
)
"""What DeepSeek-Prover-V2 and Goedel-Prover-V2 were trained on."""
_THINK_SYSTEM: Final = "You are an expert in mathematics and Lean 4."
_THINK: Final = (
    "Think about and solve the following problem step by step in Lean 4.\n# Problem:\n# Formal statement:\n"
    "```lean4\n{code}```\n"
)
"""What the Kimina provers were trained on."""
_CHAT_SYSTEM: Final = "You write proofs in Lean 4. Lean itself judges them."
_CHAT: Final = (
    "This is a Lean 4 file up to a goal, with `sorry` in place of the proof that is wanted:\n\n```lean4\n{code}```\n\n"
    "The goal at the last `sorry`:\n\n```\n{goal}\n```\n\nWrite that proof. Answer with one ```lean4 block that holds"
    " the whole theorem with its statement as it is, and with a proof without `sorry`."
)
_SKETCH: Final = (
    "\n\nWrite a sketch only: name the facts that lead to the goal by `have h : … := sorry`, and end with the step that"
    " follows from them. Each `sorry` is proved by a search afterwards, so make each fact a small one."
)


def opening(
    style: ProofStyle, document: str, goal: str, *, sketch: bool = False, maximum: int = FILE_TOKENS
) -> list[Turn]:
    """The first turns.

    Args:
        document: The file up to the place, with `sorry` at it.
        goal: What is to be proved there.
        sketch: Ask for a sketch with gaps instead of a proof.
        maximum: Tokens of the file; its middle is left out where it is longer.
    """
    code = excerpt(document, maximum).rstrip("\n") + "\n"
    more = _SKETCH if sketch else ""
    if style == "plan":
        return [("user", _PLAN.replace("{code}", code) + more)]
    if style == "think":
        return [("system", _THINK_SYSTEM), ("user", _THINK.replace("{code}", code) + more)]
    text = _CHAT.replace("{goal}", goal).replace("{code}", code)
    return [("system", _CHAT_SYSTEM), ("user", text + more)]


def excerpt(document: str, maximum: int) -> str:
    """A text in about so many tokens: its beginning, `...`, and its end."""

    def count(text: str) -> int:
        return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)

    return document if count(document) <= maximum else middle_out(document, maximum, count)


def after_fault(trial: Trial, scope: int, left: Sequence[str], *, reason: str = "") -> list[Turn]:
    """The turns behind the first ones: the proof as Lean has read it, and what it says.

    Args:
        scope: Where the declaration begins in the document of the trial.
        left: Goals that the proof leaves.
        reason: Why the proof does not count, where it has no faults.
    """
    code = trial.document[scope : trial.end].rstrip()
    faults = enumerate(trial.faults[:_MAX_FAULTS], start=1)
    said = [_described(number, trial, scope, fault) for number, fault in faults]
    if not said and left:
        said = [f"It leaves {counted(len(left), 'goal')}:\n\n```\n{left[0][:_MAX_MESSAGE]}\n```"]
    if not said:
        said = [trial.reason or reason or "It is not complete."]
    more = len(trial.faults) - _MAX_FAULTS
    if more > 0:
        said.append(f"There are {more} more errors.")
    text = "Lean refuses this proof; <error> and </error> mark where.\n\n" + "\n\n".join(said) + _ASK_AGAIN
    return [("assistant", f"```lean4\n{code}\n```"), ("user", text)]


def after_refusal(proof: str, reason: str) -> list[Turn]:
    """The turns behind a proof that Lean was not given."""
    text = f"This proof was not given to Lean. {reason}{_ASK_AGAIN}"
    return [("assistant", f"```lean4\n{proof}\n```"), ("user", text)]


def after_nothing(*, cut: bool) -> list[Turn]:
    """The turns behind an answer without any code."""
    why = "It was cut off before it came to the proof, so be brief: " if cut else ""
    return [
        ("assistant", "…"),
        ("user", f"Your answer held no Lean code. {why}write the whole theorem with its proof in one ```lean4 block."),
    ]


_ASK_AGAIN: Final = (
    "\n\nSay in a sentence or two what is wrong, then write the whole theorem with a corrected proof in one"
    " ```lean4 block."
)


def _described(number: int, trial: Trial, scope: int, fault: Fault) -> str:
    """An error with the lines around it."""
    marked = trial.document[: fault.start] + "<error>" + trial.document[fault.start : fault.end] + "</error>"
    marked += trial.document[fault.end : trial.end]
    lines = marked[scope:].split("\n")
    first = trial.document.count("\n", scope, fault.start)
    last = trial.document.count("\n", scope, fault.end)
    shown = "\n".join(lines[max(0, first - _LINES_AROUND) : last + _LINES_AROUND + 1])
    message = fault.message[:_MAX_MESSAGE]
    return f"Error {number}, at line {first + 1}:\n\n```lean4\n{shown}\n```\n\n{message}"
