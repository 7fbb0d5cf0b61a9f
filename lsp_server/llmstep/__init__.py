"""llmstep: next-step suggestions for Lean 4 proofs from a language model, checked by Lean."""

__version__ = "0.1.0"
