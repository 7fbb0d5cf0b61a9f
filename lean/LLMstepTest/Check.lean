import LLMstep

/-! How suggestions are judged, without a server. -/

open Lean Elab Tactic in
/-- Judges the suggestion at the open goals, and does nothing else. -/
elab "judge " suggestion:str : tactic => do
  let checked ← LLMstep.check suggestion.getString 2000
  logInfo s!"{checked.verdict}{if checked.message.isEmpty then "" else s!": {checked.message}"}"
  for goal in checked.goals do logInfo goal

set_option linter.unusedVariables false

/--
info: closes
---
info: closes
---
info: progress
---
info: p q : Prop
hp : p
hq : q
⊢ q
---
info: invalid: Unknown identifier `hr`
---
info: invalid: uses `sorry`
---
info: invalid: uses `sorry`
---
info: invalid: uses the declaration that is being elaborated
---
info: invalid: changes nothing
---
info: invalid: expected '⟩'
---
info: invalid: takes too long
-/
#guard_msgs in
theorem two (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  judge "exact ⟨hp, hq⟩"
  judge "constructor\n· exact hp\n· exact hq"
  judge "refine ⟨hp, ?_⟩"
  judge "exact hr"
  judge "exact ⟨hp, sorry⟩"
  judge "refine ⟨?_, sorry⟩"
  judge "exact two p q hp hq"
  judge "skip"
  judge "exact ⟨hp, hq"
  judge "repeat refine id ?_"
  exact ⟨hp, hq⟩

/--
error: Unknown identifier `hr`
---
info: closes
---
info: invalid: Unknown identifier `hr`
-/
#guard_msgs in
example (p : Prop) (hp : p) : p := by
  have h : p := hr
  judge "exact hp"
  judge "exact hr"
  exact hp
