import LLMstep

/-! The tactic against `fake_server.py`, which suggests what stands in the prefix, between bars. -/

open Lean Elab Command in
/-- Starts the fake server and waits until it answers. -/
elab "#start_fake_server" : command => do
  discard <| IO.Process.spawn { cmd := "python3", args := #["lean/LLMstepTest/fake_server.py", "6017"]
                                stdin := .null, stdout := .null, stderr := .null }
  discard <| IO.Process.output
    { cmd := "curl", args := #["--silent", "--retry", "30", "--retry-connrefused", "http://127.0.0.1:6017/"] }

#start_fake_server

set_option linter.unusedVariables false
set_option llmstep.host "127.0.0.1"
set_option llmstep.port 6017

/-- warning: llmstep does nothing outside an editor: replace it with a step of the proof. -/
#guard_msgs in
example (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  llmstep "exact ⟨hp, hq⟩"
  exact ⟨hp, hq⟩

-- From here on as in an editor.
set_option Elab.inServer true

/--
info: llmstep: 3 suggestions, 3 distinct: 1 closing the goal, 1 leaving goals, 1 rejected
  [apply] exact ⟨hp, hq⟩ -- closes the goal
  [apply] refine ⟨hp, ?_⟩
  Remaining goals:
  p q : Prop
  hp : p
  hq : q
  ⊢ q
-/
#guard_msgs in
example (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  llmstep "refine ⟨hp, ?_⟩|exact hq|exact ⟨hp, hq⟩"
  exact ⟨hp, hq⟩

/--
info: llmstep: 2 suggestions came, and none is valid here:
  exact hr -- Unknown identifier `hr`
  skip -- changes nothing
-/
#guard_msgs in
example (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  llmstep "exact hr|skip"
  exact ⟨hp, hq⟩

/--
warning: llmstep: the server says: no model
Choose one.
-/
#guard_msgs in
example (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  llmstep "error"
  exact ⟨hp, hq⟩

/--
warning: llmstep: no server answers at http://127.0.0.1:1/
Start one with `llmstep serve`, or open this file in an editor with the llmstep extension.
-/
#guard_msgs in
set_option llmstep.port 1 in
example (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  llmstep
  exact ⟨hp, hq⟩

open Lean Elab Command in
/-- Ends the fake server; without this it would end after a minute. -/
elab "#stop_fake_server" : command => do
  discard <| IO.Process.output { cmd := "curl", args := #["--silent", "http://127.0.0.1:6017/stop"] }

#stop_fake_server
