"""Which models are on this machine: the Hugging Face cache, folders, and the starter in the package.

Where a model comes from is one text, its *source*: a folder or a GGUF file, written as a path; an id on the hub,
`owner/name`; or a file there, `owner/name/FILE.gguf`. Nothing here goes to the network. The cache is where
`huggingface_hub` has it (`HF_HOME`, `HF_HUB_CACHE`).
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any

from llmstep.catalog.files import ADAPTER, CONFIG, HINTS, is_complete, measure, read_json
from llmstep.catalog.models import ModelRecord
from llmstep.catalog.registry import find_record
from llmstep.errors import ModelLoadError

STARTER_DIR = Path(__file__).parent / "starter"
"""The folder of the starter model."""
_FILE = re.compile(r"([\w.-]+/[\w.-]+)/([\w./-]+\.gguf|adapter_config\.json)", re.IGNORECASE)


def repository(source: str) -> tuple[str, str]:
    """The id on the hub that a source means, and the file there; the empty text where it means no single file."""
    found = _FILE.fullmatch(source)
    return (found[1], found[2]) if found else (source, "")


def cache_path(model: ModelRecord | str) -> Path | None:
    """The folder or the file of a model: of the package, the cache, or the disk; None when there is none.

    Args:
        model: A record, a catalog name, or a source. A model may be there in part; see `cached_folder`.
    """
    record = model if isinstance(model, ModelRecord) else find_record(model)
    if record is not None and record.bundled:
        return STARTER_DIR if (STARTER_DIR / CONFIG).is_file() else None
    source = record.repo_id if record is not None else str(model)
    if is_path(source):
        path = path_of(source)
        return path if path.is_file() or any((path / name).is_file() for name in (CONFIG, ADAPTER)) else None
    repo_id, file = repository(source)
    if file:
        return cached_file(repo_id, file)
    files = (cached_file(repo_id, name) for name in (CONFIG, ADAPTER))
    return next((file.parent for file in files if file is not None), None)


def cached_folder(model: ModelRecord | str, *, code: bool = False) -> Path | None:
    """The same when it holds configuration, tokenizer and all weights, or the weights of an adapter.

    Args:
        code: The Python files of a model that brings some are to be there too.
    """
    here = cache_path(model)
    return here if here is not None and (here.is_file() or is_complete(here, code=code)) else None


def is_cached(model: ModelRecord | str) -> bool:
    """Whether all of a model is on this machine; of an adapter, its base too."""
    here = cached_folder(model)
    base = adapter_base(here) if here else None
    return here is not None and (base is None or cached_folder(base) is not None)


def missing(source: str, *, code: bool = False) -> str:
    """The source of what has to come from the hub: the model, or the base of an adapter; empty where nothing has."""
    here = path_of(source) if is_path(source) else cached_folder(source, code=code)
    if here is None:
        return source
    base = adapter_base(here)
    return base if base and not is_path(base) and cached_folder(base) is None else ""


def cached_weights(source: str) -> tuple[Path, Path | None] | None:
    """The folder with a model's weights, and that of the adapter that is merged into them; None when one is not here.

    Raises:
        ModelLoadError: As with `adapter_base`.
    """
    folder = cache_path(source)
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


def known_of(record: ModelRecord) -> dict[str, Any]:
    """The fields of a `KnownModel`; the sizes of the starter and of the user's models are those of their files."""
    parameters, size = record.parameters, 0
    folder = STARTER_DIR if record.bundled else cache_path(record) if record.added else None
    with contextlib.suppress(ModelLoadError, OSError):
        counted, size = measure(folder) if folder else (None, 0)
        parameters = counted if record.bundled else parameters
    return {
        "name": record.name,
        "parameters": parameters,
        "size_bytes": size or record.size_bytes,
        "licence": record.licence,
        "cached": is_cached(record),
        "template": record.template,
        "trust_remote_code": record.trust_remote_code,
        "summary": record.summary,
    }


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


def path_of(source: str) -> Path:
    """The path of a source that is written as one; `~name` stays as it is where nobody has that name."""
    return Path(os.path.expanduser(source))


def read_hints(folder: Path | None) -> tuple[str, int]:
    """What a model's own file of hints says: its template and the most tokens of a prompt; empty and 0 else."""
    hints = read_json(folder / HINTS) if folder else {}
    maximum = hints.get("max_prompt_tokens")
    return str(hints.get("template") or ""), maximum if isinstance(maximum, int) else 0
