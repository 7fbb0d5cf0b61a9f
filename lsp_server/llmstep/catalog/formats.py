"""The exact texts of the prompt formats, as their models were trained on them.

Places to fill are `{goal}`, `{premises}`, `{context}`, `{file}`, `{prefix}`, `{declaration}` and `{proof}`; any other
brace is plain text. `{context}` and `{file}` are the file before the goal, the first one without line breaks around it.
"""

from __future__ import annotations

PYTHIA = "[GOAL]{goal}[PROOFSTEP]{prefix}"
"""wellecks/llmstep-mathlib4-pythia2.8b; also what `llmstep train` writes and the bundled starter reads."""

STATE_ONLY = "{goal}"
"""kaiyuy/leandojo-lean4-tacgen-byt5-small: the encoder reads the state, the decoder starts with the prefix."""

PREMISES_STATE = "{premises}{goal}"
"""kaiyuy/leandojo-lean4-retriever-tacgen-byt5-small (ReProver): premises in front of the state."""

NTP_STATE = """\
/- You are proving a theorem in Lean 4.
You are given the following information:
- The current proof state, inside [STATE]...[/STATE]

Your task is to generate the next tactic in the proof.
Put the next tactic inside [TAC]...[/TAC]
-/
[STATE]
{goal}
[/STATE]
[TAC]
{prefix}"""
"""l3lab/ntp-mathlib-st-deepseek-coder-1.3b."""

NTP_CONTEXT = """\
/- You are proving a theorem in Lean 4.
You are given the following information:
- The file contents up to the current tactic, inside [CTX]...[/CTX]
- The current proof state, inside [STATE]...[/STATE]

Your task is to generate the next tactic in the proof.
Put the next tactic inside [TAC]...[/TAC]
-/
[CTX]
{context}
[/CTX]
[STATE]
{goal}
[/STATE]
[TAC]
{prefix}"""
"""l3lab/ntp-mathlib-context-deepseek-coder-1.3b."""

FEW_SHOTS = (
    ("p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q", "exact ⟨hp, hq⟩"),
    ("α : Type u_1\ns t : Set α\n⊢ s ∩ t ⊆ s", "intro x hx"),
    ("a b c : ℕ\nhab : a = b\nhbc : b = c\n⊢ a = c", "rw [hab, hbc]"),
)
"""(tactic state, next tactic): the examples that show a model without fine-tuning what is wanted."""

_SHOT = "Tactic state:\n---\n{state}\n---\nNext tactic:\n---\n{tactic}"

_SHOTS = [_SHOT.replace("{state}", state).replace("{tactic}", tactic) for state, tactic in FEW_SHOTS]
_QUESTION = _SHOT.replace("{state}", "{goal}").replace("{tactic}", "{prefix}")

LLEMMA_FEW_SHOT = (
    "Given the Lean 4 tactic state, suggest a next tactic.\nHere are some examples:\n\n"
    + "\n---\n\n".join([*_SHOTS, _QUESTION])
)
"""EleutherAI/llemma_7b, which was not trained on pairs of states and tactics."""

CONTINUATION = "{file}{prefix}"
"""What a model of code does by itself: write on in the file. The second prompt for EleutherAI/llemma_7b."""

BFS = "{goal}:::{prefix}"
"""ByteDance-Seed/BFS-Prover-V1-7B and its successors."""

USER = "<|im_start|>user\n"
ASSISTANT = "<|im_end|>\n<|im_start|>assistant\n"

INTERNLM_PLUS = (
    USER
    + "My LEAN 4 state is:\n```lean\n{goal}```\nPlease predict a possible tactic to help me prove the theorem."
    + ASSISTANT
    + "{prefix}"
)
"""internlm/internlm2-math-plus-*: no newline stands before the closing fence of the state."""

INTERNLM_PLUS_ANSWER = "Here is the predicted next tactic:\n```lean\n"
"""How the answer of internlm2-math-plus begins, before the tactic and a closing fence."""

INTERNLM_STEP = USER + "DECL {declaration}\nGOAL {goal}\n" + ASSISTANT + "{prefix}"
"""internlm/internlm2-step-prover."""

INTERNLM_STEP_ANSWER = "PROOFSTEP "

INTERNLM25_STEP = (
    USER
    + "---\nNAME: {declaration}\n\n---\nPROOF_BEFORE: {proof}\n\n---\nSTATE_BEFORE: {goal}\n\n---\nTACTIC: "
    + ASSISTANT
    + "{prefix}"
)
"""internlm/internlm2_5-step-prover."""

INSTRUCT = (
    USER
    + "This is the state of a proof in Lean 4 with Mathlib:\n```lean\n{goal}\n```\n"
    + "What is the next tactic? Answer with that tactic alone, in a ```lean block, without any explanation."
    + ASSISTANT
    + "{prefix}"
)
"""For general models that follow instructions; of our own, no model was trained on it."""

INSTRUCT_FILE = (
    USER
    + "This is a file in Lean 4 up to the place where the next tactic of a proof goes:\n```lean\n{context}\n```\n"
    + "This is the state of the proof at that place:\n```lean\n{goal}\n```\n"
    + "What is the next tactic? Answer with that tactic alone, in a ```lean block, without any explanation."
    + ASSISTANT
    + "{prefix}"
)
"""As `INSTRUCT`, with the file; of our own, too."""
