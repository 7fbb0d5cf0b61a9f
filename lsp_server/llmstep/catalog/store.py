"""Which models are on this machine: the Hugging Face cache, folders, and the starter in the package.

Nothing here goes to the network. The cache is where `huggingface_hub` has it (`HF_HOME`, `HF_HUB_CACHE`).
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from llmstep.catalog.files import (
    ADAPTER,
    ADAPTER_WEIGHTS,
    CONFIG,
    HINTS,
    is_complete,
    measure,
    read_json,
)
from llmstep.catalog.models import ModelRecord
from llmstep.catalog.registry import find_record
from llmstep.errors import ModelLoadError

STARTER_DIR = Path(__file__).parent / "starter"
"""The folder of the starter model."""


def cache_path(model: ModelRecord | str) -> Path | None:
    """The folder with the files of a model: of the package, the cache, or the disk; None when there is none.

    Args:
        model: A record, a catalog name, a hub id or a folder. A model may be there in part; see `is_cached`.
    """
    record = model if isinstance(model, ModelRecord) else find_record(model)
    if record is not None and record.bundled:
        return STARTER_DIR if (STARTER_DIR / CONFIG).is_file() else None
    name = record.repo_id if record is not None else str(model)
    if is_path(name):
        folder = Path(name).expanduser()
        return folder if any((folder / name).is_file() for name in (CONFIG, ADAPTER)) else None
    return hub_folder(name)


def is_cached(model: ModelRecord | str) -> bool:
    """Whether configuration, tokenizer and all weights of a model are on this machine; of an adapter, its base too."""
    name = model.repo_id if isinstance(model, ModelRecord) else str(model)
    if name.lower().endswith(".gguf"):
        owner, _, file = name.partition("/")[2].partition("/")
        path = Path(name).expanduser() if is_path(name) else cached_file(f"{name.partition('/')[0]}/{owner}", file)
        return path is not None and path.is_file()
    folder = cache_path(model)
    base = adapter_base(folder) if folder else None
    if folder is not None and base is not None:
        return (folder / ADAPTER_WEIGHTS).is_file() and is_cached(base)
    return folder is not None and is_complete(folder)


def cached_weights(model: str) -> tuple[Path, Path | None] | None:
    """The folder with a model's weights, and that of the adapter that is merged into them; None when one is not here.

    Raises:
        ModelLoadError: As with `adapter_base`.
    """
    folder = cache_path(model)
    base = adapter_base(folder) if folder else None
    whole = cache_path(base) if base else folder
    return None if whole is None else (whole, folder if base else None)


def adapter_base(folder: Path) -> str | None:
    """Hub id or folder of the base, where `folder` holds a LoRA adapter of peft; None where it holds a whole model.

    Raises:
        ModelLoadError: The adapter does not say what its base is.
    """
    if (folder / CONFIG).is_file() or not (folder / ADAPTER).is_file():
        return None
    base = read_json(folder / ADAPTER).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise ModelLoadError(
            f"The adapter in {folder} does not say which model it is for.",
            hint=f"Set base_model_name_or_path in its {ADAPTER} to that model's id or folder.",
        )
    return str(Path(base).resolve()) if Path(base).is_dir() else base


def size_bytes(record: ModelRecord) -> int | None:
    """Size of a model's weights: of the files for the starter and the user's, else from the number of weights."""
    return _measured(record)[1] or record.size_bytes


def parameters(record: ModelRecord) -> int | None:
    """Number of a model's weights: from the header of the file for the starter, from the record for others."""
    return _measured(record)[0] if record.bundled else record.parameters


def _measured(record: ModelRecord) -> tuple[int | None, int]:
    folder = STARTER_DIR if record.bundled else cache_path(record) if record.added else None
    with contextlib.suppress(ModelLoadError, OSError):
        return measure(folder) if folder else (None, 0)
    return None, 0


def hub_folder(repo_id: str) -> Path | None:
    """The folder of a model in the hub's cache, where that holds its configuration; no request is made."""
    files = (cached_file(repo_id, name) for name in (CONFIG, ADAPTER))
    return next((file.parent for file in files if file is not None), None)


def cached_file(repo_id: str, file: str) -> Path | None:
    """A file in the hub's cache; no request is made."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(repo_id, file)
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def is_path(name: str) -> bool:
    """Whether `name` is written as a path: from the root, the home or the current folder."""
    return name.startswith((".", "~")) or Path(name).is_absolute() or "\\" in name


def read_hints(folder: Path | None) -> tuple[str, int]:
    """What a model's own file of hints says: its template and the most tokens of a prompt; empty and 0 else."""
    hints = read_json(folder / HINTS) if folder else {}
    maximum = hints.get("max_prompt_tokens")
    return str(hints.get("template") or ""), maximum if isinstance(maximum, int) else 0
