"""Engines whose model runs elsewhere: at an OpenAI-compatible server, or in another llmstep.

Importing this package does not import httpx; that comes in with the first request.
"""
