"""Whole proofs: written by a model and repaired after Lean's errors, sketched and filled, or searched for by steps."""
