"""The models llmstep knows, the prompt formats they were trained on, and the starter model that comes with it."""
