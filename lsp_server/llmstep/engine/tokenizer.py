"""The tokenizer of a model alone, without its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmstep.catalog.files import read_json
from llmstep.decoder import DamagedError, why_unsupported
from llmstep.decoder.tokenizer import read
from llmstep.engine.packages import require
from llmstep.errors import ModelLoadError

_HINT = "Put the tokenizer's files (tokenizer.json, tokenizer_config.json) beside the weights."


def read_tokenizer(folder: Path, name: str, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer in a folder of files, by our decoder where that knows the model; nothing is downloaded.

    Args:
        name: What to call the model in an error.

    Raises:
        ModelLoadError: It is missing or broken, or brings code that may not run.
        MissingPackageError: It needs transformers, which is not installed.
    """
    if why_unsupported(folder) is not None:
        return by_transformers(folder, name, trust_remote_code=trust_remote_code)
    try:
        return read(folder)
    except DamagedError as error:
        raise ModelLoadError(f"The tokenizer of {name} cannot be read. {error.message}", hint=error.hint) from error


def by_transformers(folder: Path, name: str, *, trust_remote_code: bool = False) -> Any:
    """The same, always by transformers."""
    require(f"The tokenizer of {name}", "transformers")
    from transformers import AutoTokenizer

    from llmstep.engine.plan import first_line, needs_code

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)
    except Exception as error:
        if not trust_remote_code and _brings_code(folder):
            raise needs_code(name) from error
        raise ModelLoadError(
            f"The tokenizer of {name} is missing or broken ({first_line(error)}).", hint=_HINT
        ) from error
    # For some architectures an empty tokenizer is made up when the files are missing.
    ids = tokenizer("a ⊢ b", add_special_tokens=False)["input_ids"]
    if all(token == tokenizer.unk_token_id for token in ids):
        raise ModelLoadError(f"The tokenizer of {name} is missing or empty.", hint=_HINT)
    return tokenizer


def _brings_code(folder: Path) -> bool:
    """Whether a model has a tokenizer in Python of its own."""
    try:
        return "auto_map" in read_json(folder / "tokenizer_config.json")
    except ModelLoadError:
        return False
