module

public meta import Lean

/-! Options of the tactic; `docs/lean-package.md` lists the environment variables that go with them. -/

public meta section

/-- Where the server is. -/
register_option llmstep.host : String := { defValue := "", descr :=
  "machine of the llmstep server, or its full URL; empty means LLMSTEP_HOST, else 127.0.0.1" }

/-- The server's port. -/
register_option llmstep.port : Nat := { defValue := 0, descr :=
  "port of the llmstep server; 0 means LLMSTEP_PORT, else 6000" }

/-- How long to wait for the server. -/
register_option llmstep.timeout : Nat := { defValue := 30, descr :=
  "longest time, in seconds, to wait for suggestions" }

/-- How much work one suggestion may make. -/
register_option llmstep.maxHeartbeats : Nat := { defValue := 50000, descr :=
  "limit on the work of one suggestion, in the unit of `maxHeartbeats`, which holds as well; 0 is no limit" }

/-- How many suggestions to ask for. -/
register_option llmstep.count : Nat := { defValue := 10, descr :=
  "number of suggestions to ask for" }

/-- Whether rejected suggestions are listed. -/
register_option llmstep.verbose : Bool := { defValue := false, descr :=
  "also say which suggestions were rejected, and why" }

/-- Whether compiled code may prove something. -/
register_option llmstep.allowNativeDecide : Bool := { defValue := false, descr :=
  "accept proofs by compiled code (`native_decide`), which rest on an axiom that trusts the compiler" }
