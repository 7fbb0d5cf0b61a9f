"""A whole proof in VS Code: a scripted model writes it wrong, Lean's errors go back, and the repaired one is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scripted_model import NAME, ScriptedModel, fenced

if TYPE_CHECKING:
    from vscode_lean import Judge
    from vscode_window import Window
    from vscode_workbench import Workbench

pytestmark = [pytest.mark.lean, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

STATEMENT = "theorem t (r : Nat → Nat → Prop) (h0 : r 0 7) (k : ∀ i n, r i n → r (i + 1) n) : r 9 7"
LEFT = "theorem u (p q : Prop) (hp : p) : p ∧ q"


async def test_a_written_proof_is_repaired(window: Window, workbench: Workbench, judge: Judge) -> None:
    wrong = fenced(f"{STATEMENT} := by\n  iterate 9 apply step\n  exact h0")
    right = fenced(f"{STATEMENT} := by\n  have start := h0\n  iterate 9 apply k\n  exact start")
    part = fenced(f"{LEFT} := by\n  constructor\n  · exact hp\n  · exact hq")

    def script(messages: list[dict[str, str]], number: int) -> str:
        if "theorem u" in messages[-1]["content"]:
            return part
        return right if "Error 1" in messages[-1]["content"] else wrong

    file = await window.open("Written.lean", f"{STATEMENT} := by\n  sorry\n\n{LEFT} := by\n  sorry\n")
    with ScriptedModel(script) as model:
        workbench.configure(llmstep__engine="openai", llmstep__remote__url=model.url, llmstep__proveRounds=1)
        try:
            await window.status_says("· remote")
            await file.place("sorry")
            await window.menu(until_it_has="llmstep: complete the proof")
            await window.choose("llmstep: complete the proof")
            await window.results(until_one_has="✓")
            await window.picture("20-written-proof")
            await window.press("Enter")
            proved = await file.saved()
            assert "have start := h0\n  iterate 9 apply k\n  exact start" in proved
            assert judge(file.path) == ["declaration uses `sorry`"]  # that of the other theorem
            assert ["Error 1" in each["messages"][-1]["content"] for each in model.asked] == [False, True]
            await window.status_says(f"^{NAME} · remote")

            # A proof of which one goal is left: it is said, and offered with a `sorry` for that goal.
            await file.place("sorry")
            await window.menu(until_it_has="llmstep: complete the proof")
            await window.choose("llmstep: complete the proof")
            said = await window.message("complete except for")
            assert said == "The proof is complete except for 1 goal. It is offered at its place."
            await window.results(until_one_has="proves it except for 1 goal")
            await window.picture("21-part-of-a-proof")
            await window.press("Enter")
            assert (await file.saved()).endswith("constructor\n  · exact hp\n  · sorry\n")
        finally:
            workbench.configure(llmstep__engine=None, llmstep__remote__url=None, llmstep__proveRounds=None)
            await window.clear_messages()
            await file.close()
