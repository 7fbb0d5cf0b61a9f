module

public meta import Lean
public meta import LLMstep.Options

/-! Asks the llmstep server, through `curl`. What goes wrong is thrown, with what to do about it. -/

public meta section

namespace LLMstep
open Lean

/-- Was the document edited? -/
def isSet (token? : Option IO.CancelToken) : BaseIO Bool :=
  match token? with
  | some token => token.isSet
  | none => pure false

/-- The server's address: the options, else the environment, else this machine. -/
def serverUrl : CoreM String := do
  let options ← getOptions
  let set (value : String) : Option String := if value.isEmpty then none else some value
  let host? := set (llmstep.host.get options) <|> (← IO.getEnv "LLMSTEP_HOST").bind set
  if (← IO.getEnv "LLMSTEP_SERVER") == some "COLAB" || host?.any fun host => (host.splitOn "://").length > 1 then
    let some url := host? | throwError "LLMSTEP_SERVER is COLAB, but LLMSTEP_HOST is not set.\n\
      Set LLMSTEP_HOST to the URL that the notebook printed."
    return url
  let other := ((← IO.getEnv "LLMSTEP_PORT").bind set).getD "6000"
  let some port := if llmstep.port.get options == 0 then other.toNat? else some (llmstep.port.get options)
    | throwError "LLMSTEP_PORT is {other}, which is not a number.\nSet it to the llmstep server's port, or unset it."
  return s!"http://{host?.getD "127.0.0.1"}:{port}/"

/-- Writes `text` and closes the file or pipe, which happens when `handle` is forgotten. If nobody reads it, the exit
status of curl will say why. -/
def feed (handle : IO.FS.Handle) (text : String) : IO Unit := do
  try handle.putStr text; handle.flush
  catch _ => pure ()

/-- Waits; an edit of the document ends the wait at once. -/
def pause (milliseconds : Nat) : CoreM Unit := do
  for _ in [0:milliseconds / 20] do
    Core.checkInterrupted
    IO.sleep 20

/-- Exit status, output and error output of curl. An edit of the document kills it and throws the interrupt. -/
def curl (args : Array String) (input : String) : CoreM (UInt32 × String × String) := do
  let child ← IO.Process.spawn { cmd := "curl", args, stdin := .piped, stdout := .piped, stderr := .piped }
  let (stdin, child) ← child.takeStdin
  let out ← IO.asTask child.stdout.readToEnd .dedicated
  let err ← IO.asTask child.stderr.readToEnd .dedicated
  feed stdin input
  let mut status : Option UInt32 := none
  while status.isNone do
    if ← isSet (← readThe Core.Context).cancelTk? then
      child.kill
      discard child.wait
      Core.checkInterrupted
    IO.sleep 20
    status ← child.tryWait
  return (status.getD 0, ← IO.ofExcept out.get, ← IO.ofExcept err.get)

/-- Is `url` on this machine? -/
def isNear (url : String) : Bool :=
  let place := toString (((url.splitOn "://").getLastD "").takeWhile (· != '/'))
  ["127.", "localhost:", "[::1]:"].any (place.startsWith ·)

/-- When a server was first found missing, by address: for milliseconds from then on it may still be starting. -/
initialize missingSince : IO.Ref (Std.HashMap String Nat) ← IO.mkRef {}

/-- Calls `act` again while the connection is refused by this machine, for ten seconds in which the server of an editor
that has just been opened may come. Later questions of the same file do not wait again until it has been there. -/
partial def untilItListens {α : Type} (url : String) (act : CoreM (UInt32 × α)) : CoreM (UInt32 × α) := do
  let answer ← act
  if answer.1 != 7 then
    missingSince.modify (·.erase url)
    return answer
  let now ← IO.monoMsNow
  let since := (← missingSince.get)[url]?.getD now
  missingSince.modify (·.insert url since)
  if !isNear url || now ≥ since + 10000 then return answer
  pause 500
  untilItListens url act

/-- Posts `body`. It goes through a pipe and the token through a file: others can read the arguments of a process. -/
def post (url body : String) (token? : Option String) (seconds : Nat) : CoreM (UInt32 × String × String) := do
  let args := #["--disable", "--silent", "--show-error", "--globoff", "--max-time", toString seconds,
    "--connect-timeout", toString (min seconds 5), "--header", "Content-Type: application/json", "--header", "Expect:",
    "--data-binary", "@-", "--write-out", "\n%{http_code}", "--url", url]
  -- A proxy is right for a notebook far away and wrong for this machine.
  let args := if isNear url then args ++ #["--noproxy", "*"] else args
  let some token := token? | curl args body
  let (handle, file) ← IO.FS.createTempFile
  try
    feed handle s!"Authorization: Bearer {token}\n"
    curl (args ++ #["--header", s!"@{file}"]) body
  finally IO.FS.removeFile file

/-- The suggestions in the server's answer, or its own words about what went wrong. -/
def readAnswer (status body : String) : CoreM (Array String) := do
  let strange (what : String) : CoreM (Array String) :=
    throwError "the server's answer (status {status}) {what}. Is it an llmstep server?"
  let .ok json := Json.parse body | strange "is not JSON"
  let text (key : String) := (json.getObjValAs? String key).toOption.getD ""
  if text "error" != "" then
    throwError "the server says: {"\n".intercalate ([text "error", text "hint"].filter (· != ""))}"
  let .ok suggestions := json.getObjValAs? (Array String) "suggestions" | strange "has no suggestions"
  if status == "200" then return suggestions else strange "is an error"

/-- Answers by address and request, for as long as the file is open: re-elaboration does not ask again. -/
initialize answers : IO.Ref (Std.HashMap String (Array String)) ← IO.mkRef {}

/-- Asks the server for steps that start with `pre`; a patient question waits for a server that may be starting. -/
def ask (state pre context : String) (patient := true) : CoreM (Array String) := do
  let options ← getOptions
  let url ← serverUrl
  let body := (Json.mkObj [("tactic_state", state), ("prefix", pre), ("context", context),
    ("count", toJson (llmstep.count.get options))]).compress
  let key := url ++ " " ++ body
  if let some known := (← answers.get)[key]? then return known
  let mut token? := none
  if let some file ← IO.getEnv "LLMSTEP_TOKEN_FILE" then
    try token? := some (toString (← IO.FS.readFile file).trimAscii)
    catch _ => throwError "LLMSTEP_TOKEN_FILE names {file}, which cannot be read."
  pause 200 -- not one request per keystroke while the prefix is typed
  let seconds := max 1 (llmstep.timeout.get options)
  let (status, out, err) ← (if patient then untilItListens url else id) <| post url body token? seconds
  if status == 7 then throwError "no server answers at {url}\n\
    Start one with `llmstep serve`, or open this file in an editor with the llmstep extension."
  if status == 28 then throwError "the server at {url} did not answer within {seconds} seconds.\n\
    The model may still be loading; `set_option llmstep.timeout` sets the time."
  if status == 255 then throwError "the program `curl` was not found.\n\
    Install it, or put it on the PATH of the Lean server."
  if status != 0 then throwError "the server at {url} could not be asked: {toString err.trimAscii}"
  let lines := out.splitOn "\n"
  let suggestions ← readAnswer (lines.getLastD "") ("\n".intercalate lines.dropLast)
  answers.modify fun known => (if known.size < 100 then known else {}).insert key suggestions
  return suggestions

end LLMstep
