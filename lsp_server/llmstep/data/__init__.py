"""Pairs of goal and tactic for fine-tuning: from LeanDojo's benchmark, from Lean projects, from JSONL files."""
