"""What each template makes of one question, and where its answers stop: a new template has a row in each table."""

from __future__ import annotations

import attrs

from llmstep.types import Goal, Premise, PromptInput

FILE = "import Mathlib\n\ntheorem and_of (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  have h := hp\n"
PREFIX = "exact ⟨"
GOAL = Goal("p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q", ("case right\n⊢ q",))
ASK = PromptInput(
    GOAL,
    context=FILE,
    declaration="and_of",
    proof="have h := hp\n",
    premises=(
        Premise("and_intro", "theorem and_intro (hp : p) (hq : q) : p ∧ q"),
        Premise("Nat.succ_le", "theorem succ_le : n < m"),
    ),
)
WITH_PREFIX = attrs.evolve(ASK, prefix=PREFIX)

PROMPTS = {
    "starter": ("[GOAL]p q : Prop\nh₁ : p\nh₂ : q\n⊢ p ∧ q[PROOFSTEP]", PREFIX),
    "pythia": ("[GOAL]p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q[PROOFSTEP]", PREFIX),
    "byt5-state": ("p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q\n\ncase right\n⊢ q", ""),
    "byt5-retrieval": (
        "theorem <a>Nat.succ_le</a> : n < m\n\ntheorem <a>and_intro</a> (hp : p) (hq : q) : p ∧ q\n\n"
        "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q\n\ncase right\n⊢ q",
        "",
    ),
    "ntp-st": (
        """\
/- You are proving a theorem in Lean 4.
You are given the following information:
- The current proof state, inside [STATE]...[/STATE]

Your task is to generate the next tactic in the proof.
Put the next tactic inside [TAC]...[/TAC]
-/
[STATE]
p q : Prop
hp : p
hq : q
⊢ p ∧ q

case right
⊢ q
[/STATE]
[TAC]
""",
        PREFIX,
    ),
    "ntp-context": (
        """\
/- You are proving a theorem in Lean 4.
You are given the following information:
- The file contents up to the current tactic, inside [CTX]...[/CTX]
- The current proof state, inside [STATE]...[/STATE]

Your task is to generate the next tactic in the proof.
Put the next tactic inside [TAC]...[/TAC]
-/
[CTX]
import Mathlib

theorem and_of (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  have h := hp
[/CTX]
[STATE]
p q : Prop
hp : p
hq : q
⊢ p ∧ q

case right
⊢ q
[/STATE]
[TAC]
""",
        PREFIX,
    ),
    "llemma-fewshot": (
        """\
Given the Lean 4 tactic state, suggest a next tactic.
Here are some examples:

Tactic state:
---
p q : Prop
hp : p
hq : q
⊢ p ∧ q
---
Next tactic:
---
exact ⟨hp, hq⟩
---

Tactic state:
---
α : Type u_1
s t : Set α
⊢ s ∩ t ⊆ s
---
Next tactic:
---
intro x hx
---

Tactic state:
---
a b c : ℕ
hab : a = b
hbc : b = c
⊢ a = c
---
Next tactic:
---
rw [hab, hbc]
---

Tactic state:
---
p q : Prop
hp : p
hq : q
⊢ p ∧ q
---
Next tactic:
---
""",
        PREFIX,
    ),
    "continuation": (FILE, PREFIX),
    "bfs": ("p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q\n\ncase right\n⊢ q:::", PREFIX),
    "internlm-plus": (
        """\
<|im_start|>user
My LEAN 4 state is:
```lean
p q : Prop
hp : p
hq : q
⊢ p ∧ q

case right
⊢ q```
Please predict a possible tactic to help me prove the theorem.<|im_end|>
<|im_start|>assistant
""",
        "Here is the predicted next tactic:\n```lean\n" + PREFIX,
    ),
    "internlm-step": (
        """\
<|im_start|>user
DECL and_of
GOAL p q : Prop
hp : p
hq : q
⊢ p ∧ q

case right
⊢ q
<|im_end|>
<|im_start|>assistant
""",
        "PROOFSTEP " + PREFIX,
    ),
    "internlm25-step": (
        """\
<|im_start|>user
---
NAME: and_of

---
PROOF_BEFORE: have h := hp

---
STATE_BEFORE: p q : Prop
hp : p
hq : q
⊢ p ∧ q

case right
⊢ q

---
TACTIC: <|im_end|>
<|im_start|>assistant
""",
        PREFIX,
    ),
    "instruct": (
        """\
<|im_start|>user
This is the state of a proof in Lean 4 with Mathlib:
```lean
p q : Prop
hp : p
hq : q
⊢ p ∧ q

case right
⊢ q
```
What is the next tactic? Answer with that tactic alone, in a ```lean block, without any explanation.<|im_end|>
<|im_start|>assistant
""",
        PREFIX,
    ),
    "instruct-file": (
        """\
<|im_start|>user
This is a file in Lean 4 up to the place where the next tactic of a proof goes:
```lean
import Mathlib

theorem and_of (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  have h := hp
```
This is the state of the proof at that place:
```lean
p q : Prop
hp : p
hq : q
⊢ p ∧ q

case right
⊢ q
```
What is the next tactic? Answer with that tactic alone, in a ```lean block, without any explanation.<|im_end|>
<|im_start|>assistant
""",
        PREFIX,
    ),
}
"""The exact prompt for `ASK`, and what the prefix of `WITH_PREFIX` adds to it."""
PROMPTS["llemma"] = PROMPTS["llemma-fewshot"]

STOPS = {
    "starter": (),
    "pythia": (),
    "byt5-state": (),
    "byt5-retrieval": (),
    "ntp-st": ("[/TAC]", "\n\n\n", "---"),
    "ntp-context": ("[/TAC]", "\n\n\n", "---"),
    "llemma-fewshot": ("---", "\n"),
    "llemma": ("---", "\n"),
    "continuation": ("---", "\n"),
    "bfs": (),
    "internlm-plus": ("<|im_end|>",),
    "internlm-step": ("<|im_end|>",),
    "internlm25-step": ("<|im_end|>",),
    "instruct": ("<|im_end|>",),
    "instruct-file": ("<|im_end|>",),
}
