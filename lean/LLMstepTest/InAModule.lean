module

import LLMstep
import LLMstep.Try

/-! A file that is itself a module can import the package. -/

/-- warning: llmstep does nothing outside an editor: replace it with a step of the proof. -/
#guard_msgs in
example (p : Prop) (hp : p) : p := by
  llmstep
  exact hp
