"""Whether a model that a user wants to add can ever be loaded, from its name and the files that are here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from llmstep.catalog.gguf import choose_gguf, is_gguf
from llmstep.catalog.models import CATALOG
from llmstep.catalog.resolve import resolve
from llmstep.catalog.store import adapter_base, cache_path, is_path
from llmstep.catalog.template import PromptTemplate
from llmstep.errors import ModelNotFoundError, RequestError
from llmstep.settings import Settings

_OF_GGUF: Final = re.compile(r"gguf\b", re.IGNORECASE)
_OF_MLX: Final = re.compile(r"(?:^|[/_.-])mlx(?:[/_.-]|$)", re.IGNORECASE)


def addable(settings: Settings, *, llama_cpp: bool) -> tuple[str, PromptTemplate]:
    """The source and the template of the model that `settings.model` names: a hub id, a folder, or a GGUF file.

    Args:
        llama_cpp: Whether llama.cpp's server is installed.

    Raises:
        RequestError: It can never be loaded as it is; the hint says what can.
        ModelError: There is no such model, or its template is not known.
    """
    model = settings.model
    if is_gguf(model):
        choice = choose_gguf(settings)
        if not llama_cpp:
            raise RequestError(
                f"The model {model} is a GGUF file, which llama.cpp runs, and llama.cpp is not installed.",
                hint="Install it with `pip install 'llmstep[gguf]'`, and add the model again.",
            )
        return (str(choice.path) if choice.path is not None and is_path(model) else model), choice.template
    if not is_path(model):
        _refuse_repository(model)
    _refuse_lost_base(model)
    found = resolve(settings)
    if found.record is not None and found.record.bundled:
        raise RequestError("The starter has a name already.", hint="Give the id or folder of another model.")
    return found.source, found.template


def _refuse_repository(model: str) -> None:
    """A repository whose name says that it holds weights in a form that is not loaded from a repository."""
    if _OF_GGUF.search(model) and cache_path(model) is None:
        files = (each.gguf.path for each in CATALOG if each.gguf is not None)
        known = next((path for path in files if path.lower().startswith(f"{model.lower()}/")), "")
        raise RequestError(
            f"{model} is a repository of GGUF files, of which llama.cpp runs one.",
            hint=f"Name the file: {known or model + '/FILE.gguf'}; it needs `pip install 'llmstep[gguf]'`.",
        )
    if _OF_MLX.search(model):
        raise RequestError(
            f"{model} holds weights for MLX, which llmstep does not run.",
            hint="Start `mlx_lm.server` with it, and set llmstep.engine to openai with llmstep.remote.url.",
        )


def _refuse_lost_base(model: str) -> None:
    """An adapter whose base is a folder that is not there."""
    folder = cache_path(model)
    base = adapter_base(folder) if folder is not None else None
    if base is not None and is_path(base) and not Path(base).expanduser().is_dir():
        raise ModelNotFoundError(
            f"The model {model} is a LoRA adapter for {base}, and there is no such folder.",
            hint="Put the base there, or set base_model_name_or_path in its adapter_config.json to where it is.",
        )
