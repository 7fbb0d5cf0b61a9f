"""A Lean server as a child process: goals at a position, and candidates checked by Lean."""
