"""Fine-tuning of next-tactic models, and the making of the starter model."""
