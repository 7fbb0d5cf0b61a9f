"""Lean's own tactics as a second source of candidates beside the model."""
