module

public meta import Lean
public meta import LLMstep.Client
public meta import LLMstep.Guard

/-! Runs a suggestion at the goals of a proof and takes everything back. -/

public meta section

namespace LLMstep
open Lean Meta Elab Tactic

/-- A suggestion with what Lean says about it. -/
structure Checked where
  /-- The suggestion. -/
  text : String
  /-- `closes`: the main goal is gone and no new one came. `progress`: it runs and leaves other goals than before.
  `invalid`: Lean refuses it, it changes nothing, or it is no proof. -/
  verdict : String
  /-- All goals that are open afterwards. -/
  goals : Array String := #[]
  /-- Why it is invalid, in one line. -/
  message : String := ""
  deriving ToJson, FromJson, Inhabited

/-- The goals as Lean prints them. -/
def printed (goals : List MVarId) : MetaM (List String) :=
  goals.mapM fun goal => return (← ppGoal goal).pretty

/-- `text` in one line of at most 160 characters. -/
def oneLine (text : String) : String :=
  let words := (text.replace "\n" " ").splitOn " " |>.filter (· != "")
  let line := " ".intercalate words
  if line.length ≤ 160 then line else toString (line.take 159) ++ "…"

/-- The brackets are for several tactics; the line breaks for the rules about columns, which hold only in a block. -/
def bracketed (text : String) : String := s!"(\n{text}\n)"

/-- `bracketed text`, parsed. -/
def parsed (env : Environment) (text : String) : Except String Syntax :=
  match Parser.runParserCategory env `tactic (bracketed text) with
  | .ok stx => if stx.isOfKind ``Parser.Tactic.paren then .ok stx else .error "closes a bracket that it did not open"
  | .error e => .error (": ".intercalate ((e.splitOn ": ").drop 1))

/-- `text`, parsed, if it may run at all: it is short, nothing in it is invisible, and it holds no program. -/
def allowed (env : Environment) (text : String) (allowNative : Bool) : Except String Syntax := do
  if text.length > longest then throw s!"is longer than {longest} characters"
  if let some c := text.toList.find? isStrange then throw s!"holds a character that no step needs ({c.toNat})"
  let stx ← parsed env text
  if let some reason := forbidden? allowNative stx then throw reason
  return stx

/-- `text` as an editor's document would have it: with line feeds, and blanks for tabs. -/
def normal (text : String) : String := (text.replace "\r\n" "\n").replace "\t" "  "

/-- The tactics between the brackets. -/
def tactics (stx : Syntax) : List Syntax := stx[1][0][0].getArgs.toList.filter (·.getNumArgs > 0)

/-- Runs `act` and takes back all it did: goals, messages, info trees, traces, tasks and heartbeats. -/
def isolated {α : Type} (act : TacticM α) : TacticM α := do
  let saved ← getThe Core.State
  let heartbeats ← IO.getNumHeartbeats
  try
    -- An error further up in the declaration is not the suggestion's.
    modifyThe Core.State fun s => { s with messages := {}, infoState := { s.infoState with enabled := false } }
    withoutModifyingState act
  finally
    modifyThe Core.State fun s => { s with
      messages := saved.messages, infoState := saved.infoState, traceState := saved.traceState
      snapshotTasks := saved.snapshotTasks }
    IO.setNumHeartbeats heartbeats

/-- `act`, or the handler at any exception, interrupts included, which `try … catch` lets through. -/
def catchAll {α : Type} (act : TacticM α) (handler : Exception → TacticM α) : TacticM α :=
  let caught {β : Type} (x : CoreM β) : CoreM (Except Exception β) := fun context state => (x context state).toBaseIO
  controlAt CoreM fun run => do
    match ← caught (run act) with
    | .ok a => pure a
    | .error e => run (handler e)

/-- Limits `act` to `heartbeats` (0: no limit), or to what `maxHeartbeats` gives a declaration if that is less, counted
from here, and to 5 seconds: some loops allocate little. Past the limits, or when the document is edited, it throws. -/
def limited {α : Type} (heartbeats : Nat) (act : TacticM α) : TacticM α := do
  let context ← readThe Core.Context
  let token ← IO.CancelToken.new
  let done ← IO.mkRef false
  let stop := (← IO.monoMsNow) + 5000
  discard <| BaseIO.asTask (prio := .dedicated) do
    while !(← done.get) && (← IO.monoMsNow) < stop && !(← isSet context.cancelTk?) do IO.sleep 20
    token.set
  let most := if heartbeats == 0 then context.maxHeartbeats else heartbeats * 1000
  let most := if context.maxHeartbeats == 0 then most else min most context.maxHeartbeats
  try Core.withCurrHeartbeats <|
    withTheReader Core.Context (fun c => { c with maxHeartbeats := most, cancelTk? := some token }) act
  finally done.set true

/-- What is wrong with a constant of a proof that was not there before: an axiom, or a lemma that rests on `sorry`. -/
def constantFlaw? (before : Environment) (name : Name) : CoreM (Option String) := do
  if before.contains name then return none
  let axioms ← collectAxioms name
  if axioms.contains ``sorryAx then return some "uses `sorry`"
  return if axioms.all before.contains then none else some "trusts compiled code"

/-- What is wrong with `goal`'s proof term, in which nothing stands for a goal any more.

`before`: the environment without the suggestion. -/
def flaw? (before : Environment) (allowNative : Bool) (goal : MVarId) (proof : Expr) : MetaM (Option String) :=
    goal.withContext do
  for name in proof.getUsedConstants do
    if !allowNative && native.any fun word => (parts name).getLastD "" == word then return some "trusts compiled code"
    let some flaw ← constantFlaw? before name | continue
    unless allowNative && flaw == "trusts compiled code" do return some flaw
  let mut given := #[← instantiateMVars (← goal.getType)]
  for x in (← getLCtx).getFVarIds do
    if (← x.getDecl).isAuxDecl && proof.containsFVar x then return some "uses the declaration that is being elaborated"
    given := given.push (← instantiateMVars (← x.getType))
  -- A `sorry` of the statement may come back in the term.
  let own := proof.find? fun e => e.isAppOf ``sorryAx && !given.any fun g => (g.find? (· == e)).isSome
  if own.isSome then return some "uses `sorry`"
  if proof.hasExprMVar && !given.any (·.hasExprMVar) then return some "leaves a hole that is not a goal"
  return none

/-- The first error that was logged. -/
def firstError? : CoreM (Option String) := do
  let some error := (← Core.getMessageLog).toList.find? (·.severity == .error) | return none
  return some (← error.data.toString)

/-- Whether Lean did not understand a part of what `goal` says, and reported that where it stands. -/
def isBroken (goal : MVarId) : MetaM Bool := goal.withContext do
  let mut broken := (← instantiateMVars (← goal.getType)).hasSyntheticSorry
  for x in (← getLCtx).getFVarIds do broken := broken || (← instantiateMVars (← x.getType)).hasSyntheticSorry
  return broken

/-- Judges `text` at the open goals. -/
def check (text : String) (limit : Nat) : TacticM Checked := do
  let invalid (message : String) : Checked := { text, verdict := "invalid", message := oneLine message }
  let goals ← getUnsolvedGoals
  let environment ← getEnv
  let allowNative := llmstep.allowNativeDecide.get (← getOptions)
  for goal in goals do
    if ← isBroken goal then return invalid "the goal holds an error of the text above it"
  match allowed environment (normal text) allowNative with
  | .error e => return invalid e
  | .ok stx =>
    let run : TacticM Checked := do
      let before ← printed goals
      Term.withoutErrToSorry <| withoutRecover do
        evalTactic stx
        Term.synthesizeSyntheticMVarsNoPostponing
      if let some error ← firstError? then return invalid error
      let left ← getUnsolvedGoals
      let after ← printed left
      if after.length == before.length && after.all before.contains then return invalid "changes nothing"
      -- With every goal that is left filled by a name, the terms are whole, and nothing hides in them.
      left.forM fun goal => goal.assign (.fvar ⟨`llmstep.left⟩)
      for goal in goals do
        if let some flaw ← flaw? environment allowNative goal (← instantiateMVars (.mvar goal)) then
          return invalid flaw
      return { text, goals := after.toArray, verdict := if left.all goals.tail.contains then "closes" else "progress" }
    isolated <| catchAll
      -- Errors must be logged even where the file does not parse; positions are those in the suggestion.
      (limited limit <| withTheReader Core.Context
        (fun c => { c with suppressElabErrors := false, fileMap := FileMap.ofString (bracketed (normal text)) }) run)
      fun e => do
        Core.checkInterrupted -- an edit of the document goes on as what it is
        if e.isInterrupt || e.isMaxHeartbeat then return invalid "takes too long"
        return invalid ((← firstError?).getD (← e.toMessageData.toString)) -- some exceptions only say: see above

end LLMstep
