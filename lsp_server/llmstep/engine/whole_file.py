"""`llmstep.whole_file`, by the name that `packed` and `fastest` import it with."""

from llmstep.whole_file import whole_file

__all__ = ["whole_file"]
