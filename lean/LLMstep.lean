module

public meta import LLMstep.Options
public meta import LLMstep.Client
public meta import LLMstep.Guard
public meta import LLMstep.Check
public meta import LLMstep.Tactic
public meta import LLMstep.Rpc

/-!
# `llmstep`: the next proof step, suggested by a language model and checked by Lean

`import LLMstep` gives the tactic `llmstep` (`LLMstep/Tactic.lean`) and the RPC method `LLMstep.checkSuggestions`
(`LLMstep/Rpc.lean`). `import LLMstep.Try`, which is not part of this file, lets Lean's own `try?` ask as well.
-/
