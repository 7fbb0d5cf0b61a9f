import LLMstepTest.Check
import LLMstepTest.Tactic
import LLMstepTest.InAModule

/-! `lake test` builds these files. They need `python3` and `curl`, and no network. -/
