"""What llmstep costs, measured: programs for those who work on it, run from a clone (`python -m benchmarks`)."""
