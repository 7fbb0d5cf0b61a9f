"""What llmstep does for its users: the goal at a place, suggestions, whole proofs, proofs for each `sorry`."""
