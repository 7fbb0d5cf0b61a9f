"""Proof search: best-first over tactic states; a model or a list of tactics proposes steps, and Lean runs them."""
