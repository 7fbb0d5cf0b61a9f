"""The HTTP face: the endpoint that the `llmstep` tactic, LeanCopilot and other windows talk to."""
