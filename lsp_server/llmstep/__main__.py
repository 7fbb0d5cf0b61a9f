"""`python -m llmstep` is the `llmstep` command."""

from llmstep.cli import main

main()
