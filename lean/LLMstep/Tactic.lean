module

public meta import Lean
public meta import LLMstep.Check

/-! The tactic `llmstep`. -/

public meta section

namespace LLMstep
open Lean Meta Elab Tactic

/--
`llmstep` asks a language model for the next step, runs every suggestion in Lean, and offers those that close the goal,
then those that leave goals. `llmstep "pre"` asks for steps that start with `pre`. The goal does not change.

It needs a server: `llmstep serve`, or an editor with the llmstep extension. Outside an editor it does nothing.
-/
syntax (name := llmstepTactic) withPosition("llmstep" (lineEq str)?) : tactic

/-- `llmstep?` is `llmstep`, under a name that no other package has. -/
syntax (name := llmstepQuestion) withPosition("llmstep?" (lineEq str)?) : tactic

/-- The last `limit` characters of the file before `stx`. -/
def textBefore (stx : Syntax) (limit : Nat) : CoreM String := do
  let map ← getFileMap
  let some start := stx.getPos? | return ""
  let place := map.toPosition start
  let lines := map.source.splitOn "\n"
  let line := toString ((lines.getD (place.line - 1) "").take place.column)
  let text := "\n".intercalate (lines.take (place.line - 1) ++ [line])
  return toString (text.drop (text.length - limit))

/-- `text` as it must stand at `stx`: further lines start below its first character, and what does not begin a block
gets one tactic. -/
def placed (stx : Syntax) (text : String) : CoreM String := do
  let some start := stx.getPos? | return text
  let column := ((← getFileMap).toPosition start).column
  let before := toString (← textBefore stx 200).trimAsciiEnd
  let several := (parsed (← getEnv) text).toOption.any fun parsed => (tactics parsed).length > 1
  let bracket := several && (before.endsWith "<;>" || before.endsWith ";")
  let indent := String.join (List.replicate (if bracket then column + 1 else column) " ")
  let lines := (text.splitOn "\n").map fun line => if line.trimAscii.isEmpty then "" else indent ++ line
  let text := toString (("\n".intercalate lines).drop indent.length)
  return if bracket then s!"({text})" else text

/-- `1 goal`, `2 goals`. -/
def plural (n : Nat) (one many : String) : String := if n == 1 then s!"1 {one}" else s!"{n} {many}"

/-- Runs the suggestions at the open goals and shows what is worth showing at `stx`. -/
def report (stx : Syntax) (texts : Array String) : TacticM Unit := do
  let options ← getOptions
  let others ← printed (← getUnsolvedGoals).tail
  let distinct := (texts.toList.map fun t => normal (toString t.trimAsciiEnd)).filter (!·.isEmpty) |>.eraseDups
  let mut checked : Array Checked := #[]
  for text in distinct do
    Core.checkInterrupted
    checked := checked.push (← check text (llmstep.maxHeartbeats.get options))
  let closing := checked.filter (·.verdict == "closes")
  let progress := checked.filter (·.verdict == "progress") |>.toList.mergeSort fun a b => a.goals.size ≤ b.goals.size
  let rejected := checked.filter (·.verdict == "invalid")
  let reasons := "\n".intercalate (rejected.toList.map fun c => s!"  {oneLine c.text} -- {c.message}")
  let came := plural texts.size "suggestion" "suggestions"
  if closing.isEmpty && progress.isEmpty then
    if rejected.isEmpty then logInfoAt stx "llmstep: the server has no suggestion for this goal."
    else logInfoAt stx s!"llmstep: {came} came, and none is valid here:\n{reasons}"
    return
  let mut shown : Array TryThis.Suggestion := #[]
  for c in closing.toList ++ progress do
    let new := c.goals.filter (!others.contains ·)
    let (mark, info) := if c.verdict == "closes" then ("closes the goal", " -- closes the goal") else
      (s!"leaves {plural new.size "goal" "goals"}", "\nRemaining goals:\n" ++ "\n\n".intercalate new.toList)
    shown := shown.push { suggestion := .string (← placed stx c.text), postInfo? := some info
                          toCodeActionTitle? := some fun _ => s!"llmstep: {oneLine c.text} ({mark})" }
  TryThis.addSuggestions stx shown (header := s!"llmstep: {came}, {distinct.length} distinct: \
    {closing.size} closing the goal, {progress.length} leaving goals, {rejected.size} rejected")
  if llmstep.verbose.get options && !rejected.isEmpty then logInfoAt stx s!"llmstep: rejected\n{reasons}"

@[inherit_doc llmstepTactic, tactic llmstepTactic, tactic llmstepQuestion] def evalLLMstep : Tactic := fun stx => withMainContext do
  -- `lake build` must not depend on a server, nor send anything anywhere.
  unless Elab.inServer.get (← getOptions) do
    logWarningAt stx "llmstep does nothing outside an editor: replace it with a step of the proof."
    return
  let pre := (stx[1][0].isStrLit?).getD ""
  let state := "\n\n".intercalate (← printed (← getUnsolvedGoals))
  let texts ← try ask state pre (← textBefore stx 100000) catch e =>
    logWarningAt stx m!"llmstep: {e.toMessageData}"
    return
  report stx texts

end LLMstep
