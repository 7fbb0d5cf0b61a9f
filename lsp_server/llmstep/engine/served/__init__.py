"""Engines whose model runs in a server that llmstep starts: vLLM's or llama.cpp's, as a child on loopback."""
