module

public meta import Lean
public meta import LLMstep.Check

/-! `import LLMstep.Try` lets `try?` ask the llmstep server when its own tactics find nothing. -/

public meta section

namespace LLMstep
open Lean Meta Elab

/-- What the server suggests and Lean can parse; `try?` runs it. A server that is not there gives nothing. -/
@[try_suggestion]
def trySuggestions (goal : MVarId) (_ : Try.Info) : MetaM (Array (TSyntax `tactic)) := do
  unless Elab.inServer.get (← getOptions) do return #[]
  let texts ← try ask ("\n\n".intercalate (← printed [goal])) "" "" catch _ => return #[]
  let env ← getEnv
  let allowNative := llmstep.allowNativeDecide.get (← getOptions)
  return texts.filterMap fun text => (allowed env (normal text) allowNative).toOption.map fun stx =>
    match tactics stx with
    | [one] => ⟨one⟩
    | _ => ⟨stx⟩

end LLMstep
