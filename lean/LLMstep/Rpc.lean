module

public meta import Lean
public meta import LLMstep.Check

/-! Lets a client have suggestions checked by the editor's own Lean server. -/

public meta section

namespace LLMstep
open Lean Meta Elab Tactic Server

/-- What `checkSuggestions` is asked. -/
structure CheckParams where
  /-- The open file. -/
  textDocument : Lsp.TextDocumentIdentifier
  /-- Where the suggestions would stand; the goals are those of `$/lean/plainGoal`. -/
  position : Lsp.Position
  /-- What to check. -/
  suggestions : Array String
  /-- Limit on each; the option `llmstep.maxHeartbeats` without it. -/
  maxHeartbeats? : Option Nat := none
  deriving ToJson, FromJson

/-- What `checkSuggestions` answers. -/
structure CheckReply where
  /-- In the order asked. -/
  checked : Array Checked
  deriving ToJson, FromJson

/-- Checks suggestions at a position of an open file that imports this module. -/
@[server_rpc_method]
def checkSuggestions (p : CheckParams) : RequestM (RequestTask CheckReply) := do
  let goals ← FileWorker.getInteractiveGoals { textDocument := p.textDocument, position := p.position }
  RequestM.mapTaskCostly goals fun
    | .error e => throw e
    | .ok none => throw (RequestError.invalidParams "There is no goal at this position.")
    | .ok (some { goals }) => do
      let some first := goals[0]? | throw (RequestError.invalidParams "There is no goal left at this position.")
      let mut checked := #[]
      for text in p.suggestions do
        RequestM.checkCancelled
        checked := checked.push (← first.ctx.val.runMetaM {} do
          let limit := p.maxHeartbeats?.getD (llmstep.maxHeartbeats.get (← getOptions))
          let result ← IO.mkRef ({ text, verdict := "invalid" } : Checked)
          modifyEnv (·.unlockAsync) -- else only what bears the theorem's name may be added, and nothing here knows it
          discard <| Term.TermElabM.run' <| Tactic.run first.mvarId do
            setGoals (goals.toList.map (·.mvarId))
            result.set (← check text limit)
          result.get)
      return { checked }

end LLMstep
