module

public meta import Lean

/-! What no suggestion may hold, whatever Lean would say of it: it would run while it is checked. The companion refuses
the same by tokens (`lean/vocabulary.py`); here Lean's own parser has cut them. -/

public meta section

namespace LLMstep
open Lean

/-- Most characters of a suggestion. -/
def longest : Nat := 4096

/-- Words that run code, read files or tell Lean to do so later, wherever they stand. -/
def running : List String := [
  "run_tac", "run_cmd", "run_elab", "run_meta", "by_elab", "eval%", "elab", "elab_rules", "elab_stx%", "macro",
  "macro_rules", "syntax", "declare_syntax_cat", "initialize", "builtin_initialize", "simproc", "dsimproc",
  "simproc_decl", "dsimproc_decl", "implemented_by", "extern", "csimp", "include_str", "include_bytes", "load_dynlib",
  "dbg_trace", "dbgTrace", "dbgTraceVal", "dbgTraceIfShared", "dbgSleep", "dbgStackTrace", "panic!", "panic",
  "panicCore", "panicWithPos", "panicWithPosWithDecl", "evalExpr", "evalDecl", "evalConst", "evalTactic", "reduceBool",
  "reduceNat", "bv_check", "private"]

/-- Tactics that ask another program or machine. -/
def outside : List String := ["llmstep", "llmstep?", "llmqed", "suggest_tactics", "search_proof", "select_premises", "polyrith",
  "hammer", "smt", "smt_show", "leansearch", "moogle", "loogle", "statesearch", "gptf", "sagredo", "leanaide"]

/-- Words that make the compiler's word an axiom. -/
def native : List String := ["native_decide", "bv_decide", "ofReduceBool", "ofReduceNat", "trustCompiler"]

/-- Constants that prove nothing. -/
def unsound : List String := ["sorryAx", "lcProof", "lcUnreachable", "lcAny", "lcErased", "lcVoid", "lcCast", "lcInv"]

/-- What is said of a word. -/
def word? (allowNative : Bool) (word : String) : Option String :=
  if running.contains word || word.startsWith "unsafe" then some s!"uses `{word}`, which runs code"
  else if unsound.contains word then some s!"uses `{word}`, which proves nothing"
  else if !allowNative && native.contains word then some s!"uses `{word}`, which trusts compiled code"
  else none

/-- The components of a name. -/
def parts : Name → List String
  | .str rest part => parts rest ++ [part]
  | .num rest _ => parts rest
  | .anonymous => []

/-- What is said of a name. -/
def name? (allowNative : Bool) (name : Name) : Option String :=
  match parts name with
  | first :: second :: _ =>
    if ["IO", "EIO", "BaseIO", "System"].contains first then some s!"uses `{first}.{second}`, which runs code"
    else (parts name).findSome? (word? allowNative)
  | words => words.findSome? (word? allowNative)

/-- A character that no step needs: it controls the terminal, is invisible, or turns the direction of the text. -/
def isStrange (c : Char) : Bool :=
  let n := c.toNat
  let within (ranges : List (Nat × Nat)) : Bool := ranges.any fun (low, high) => low ≤ n && n ≤ high
  if n < 0x7f then n < 0x20 && n != 0x0a && n != 0x09
  else within [(0x7f, 0xa0), (0xad, 0xad), (0x34f, 0x34f), (0x600, 0x605), (0x61c, 0x61c), (0x6dd, 0x6dd),
    (0x70f, 0x70f), (0x115f, 0x1160), (0x1680, 0x1680), (0x17b4, 0x17b5), (0x180b, 0x180f), (0x2000, 0x200f),
    (0x2028, 0x202f), (0x205f, 0x206f), (0x2800, 0x2800), (0x3000, 0x3000), (0x3164, 0x3164), (0xfdd0, 0xfdef),
    (0xfe00, 0xfe0f), (0xfeff, 0xfeff), (0xffa0, 0xffa0), (0xfff0, 0xfffb), (0xfffe, 0xffff), (0x1d173, 0x1d17a),
    (0xe0000, 0x10ffff)]

/-- The options that `set_option … in` may set, with their greatest values; 0 is for `true` and `false`. -/
def options : List (String × Nat) := [("maxHeartbeats", 1000000), ("synthInstance.maxHeartbeats", 1000000),
  ("maxRecDepth", 10000), ("synthInstance.maxSize", 10000), ("maxSynthPendingDepth", 100),
  ("exponentiation.threshold", 10000), ("tactic.hygienic", 0), ("smartUnfolding", 0), ("autoLift", 0)]

/-- Whether `stx` is this word. -/
def isWord (word : String) : Syntax → Bool
  | .atom _ text => text == word
  | _ => false

/-- Whether `value` is `true` or `false`. -/
def isFlag : Syntax → Bool
  | .atom _ text => text == "true" || text == "false"
  | .ident _ _ name _ => name == `true || name == `false
  | _ => false

/-- Whether a suggestion may set an option to a value. -/
def allows (option : Name) (value : Syntax) : Bool :=
  let number? := value.isNatLit?
  if let some (_, most) := options.find? (·.1 == toString option) then
    if most == 0 then isFlag value else number?.any fun number => 0 < number && number ≤ most
  else
    (parts option).length > 1 && ["pp", "linter", "backward"].contains ((parts option).headD "")
      && (isFlag value || number?.isSome)

/-- Whether the value of a tactic's option applies no function, so that nothing is run to find it. -/
partial def isFixed : Syntax → Bool
  | .node _ kind args =>
    let fine := [`null, `num, `str, `Lean.Parser.Term.app, `Lean.Parser.Term.paren,
      `Lean.Parser.Term.anonymousCtor, `Lean.Parser.Term.optEllipsis, `«term[_]»].contains kind
    let head (f : Syntax) : Bool :=
      let name := if f.isOfKind `Lean.Parser.Term.dotIdent then f[1].getId else f.getId
      [`pos, `neg, `some, `Occurrences.pos, `Occurrences.neg, `Option.some].contains name
    if kind == `Lean.Parser.Term.app then args.toList.head?.any head && args.all isFixed
    else if [`Lean.Parser.Term.structInstLVal, `Lean.Parser.Term.dotIdent].contains kind then true
    else (fine || (toString kind).startsWith "Lean.Parser.Term.structInst") && args.all isFixed
  | .ident _ _ name _ =>
    let words := parts name
    words.length > 1 || words.all fun word =>
      ["true", "false", "some", "none", "default"].contains word || word.toList.head?.any Char.isUpper
  | _ => true

/-- The first thing in `stx` that no suggestion may hold. -/
partial def forbidden? (allowNative : Bool) : Syntax → Option String
  | .atom _ text =>
    if outside.contains text then some s!"uses `{text}`, which asks another program"
    else if text == "unsafe" then none -- a rule of `aesop`, or the term below
    else word? allowNative text
  | .ident _ _ name _ => name? allowNative name
  | .node _ kind args =>
    let here : Option String := if kind == `Lean.Parser.Term.unsafe then word? allowNative "unsafe" else
      match args.toList with
      | first :: option :: rest =>
        if isWord "set_option" first then
          let value := rest.find? fun arg => !arg.isOfKind `null || arg.getNumArgs > 0
          let name := if option.getNumArgs > 0 then option[0].getId else option.getId
          if value.any (allows name) then none else some s!"sets the option `{name}`, which no suggestion may"
        else
          let named := (toString kind).endsWith "valConfigItem" || kind == `Lean.Parser.Tactic.config
          let free := [`discharger, `disch, `motive].contains option.getId
          if named && !free && rest.any (!isFixed ·) then some "computes the value of an option" else none
      | _ => none
    here <|> args.toList.findSome? (forbidden? allowNative)
  | .missing => none

end LLMstep
