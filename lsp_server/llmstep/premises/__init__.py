"""Premises: definitions and lemmas that may help with a goal, found by Lean itself or by a retriever."""
