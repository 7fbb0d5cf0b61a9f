"""Fine-tuning of next-tactic models."""
