"""The tokenizer of a model alone, without its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstep.errors import ModelLoadError

if TYPE_CHECKING:
    from pathlib import Path


def read_tokenizer(folder: Path, name: str, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer in a folder of files; nothing is downloaded.

    Args:
        name: What to call the model in an error.

    Raises:
        ModelLoadError: It is missing or broken.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)
    except Exception as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelLoadError(
            f"The tokenizer of {name} is missing or broken ({line}).",
            hint="Put the tokenizer's files (tokenizer.json, tokenizer_config.json) beside the weights.",
        ) from error
