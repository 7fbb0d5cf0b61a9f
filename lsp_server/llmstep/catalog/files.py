"""Which files of a model matter, and whether its weights are whole."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llmstep.errors import ModelLoadError, ModelNotFoundError
from llmstep.strict_json import JsonError, loads

CONFIG = "config.json"
HINTS = "llmstep.json"
"""A file beside a model that names the template it was trained with: `{"template": "pythia"}`.

With `"max_prompt_tokens"` it says how long its prompts were at most, where that is less than the template has them.
"""

ADAPTER = "adapter_config.json"
"""The file that describes a LoRA adapter to peft, with the base's hub id or folder in it."""
ADAPTER_WEIGHTS = "adapter_model.safetensors"

WEIGHTS = "model.safetensors"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "*.model", "vocab.json", "vocab.txt")
"""Any of these is a sign of a tokenizer."""

_SMALL = (
    "config.json",
    "generation_config.json",
    *TOKENIZER,
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    HINTS,
    ADAPTER,
)
_WEIGHTS = (  # the best form first: whole or in shards, safetensors or pickles
    (WEIGHTS, r"model\.safetensors"),
    ("model.safetensors.index.json", r"model(-\d+-of-\d+\.safetensors|\.safetensors\.index\.json)"),
    ("pytorch_model.bin", r"pytorch_model\.bin"),
    ("pytorch_model.bin.index.json", r"pytorch_model(-\d+-of-\d+\.bin|\.bin\.index\.json)"),
    (ADAPTER_WEIGHTS, r"adapter_model\.safetensors"),  # the weights of its base are fetched for themselves
)


def weight_files(names: Iterable[str]) -> list[str]:
    """Names of the weight files to use, with the index of their shards: safetensors where there are any.

    A repository often holds the same weights in several forms; only one is wanted. Empty when there are none that
    transformers or peft reads (GGUF files are not).
    """
    present = sorted(names)
    for main, pattern in _WEIGHTS:
        if main in present:
            return [name for name in present if re.fullmatch(pattern, name)]
    return []


def needed_files(names: Iterable[str], *, code: bool = False) -> list[str]:
    """Names of the files to download, out of those of a repository.

    Args:
        code: Also the Python files that a model with code of its own runs.
    """
    present = list(names)
    patterns = (*_SMALL, "*.py", "*.json") if code else _SMALL
    small = [name for name in present if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    indices = {main for main, _ in _WEIGHTS if main.endswith(".json")}
    return sorted({*weight_files(present), *(name for name in small if name not in indices)})


def is_complete(folder: Path, *, code: bool = False) -> bool:
    """Whether a folder holds all that a model needs: config, tokenizer, and weights with all shards; or an adapter.

    Args:
        code: Python files too, if the config names some.
    """
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if "config.json" not in names and {ADAPTER, ADAPTER_WEIGHTS} <= set(names):
        return True
    has_tokenizer = any(fnmatch.filter(names, pattern) for pattern in TOKENIZER)
    if "config.json" not in names or not has_tokenizer:
        return False
    if code and b'"auto_map"' in (folder / "config.json").read_bytes() and not fnmatch.filter(names, "*.py"):
        return False
    try:
        return all(path.exists() for path in weight_paths(folder))
    except ModelLoadError:
        return False


def weight_paths(folder: Path) -> list[Path]:
    """The files with the weights of the model in `folder`, all shards that the index names.

    Raises:
        ModelLoadError: There are none, or the index cannot be read.
    """
    names = weight_files(path.name for path in folder.iterdir())
    if not names:
        raise ModelLoadError(
            f"The model in {folder} has no weights that transformers reads.",
            hint="It needs model.safetensors or pytorch_model.bin; GGUF files cannot be loaded.",
        )
    index = next((folder / name for name in names if name.endswith(".index.json")), None)
    if index is None:
        return [folder / name for name in names]
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(shard, str) for shard in shards.values()):
        raise broken(index, "names no files")
    return [folder / Path(shard).name for shard in sorted(set(shards.values()))]


def read_config(folder: Path) -> dict[str, Any]:
    """What the config.json of a model says.

    Raises:
        ModelNotFoundError: The folder holds no model.
        ModelLoadError: The file is broken.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise ModelNotFoundError(
            f"The folder {folder} holds no model: it has no config.json.",
            hint="Give the folder that `save_pretrained` or `llmstep train` wrote, or an id on the hub.",
        )
    return read_json(path)


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file of a model; empty when there is no such file.

    Raises:
        ModelLoadError: The file holds no JSON object.
    """
    try:
        content = loads(file.read_bytes(), lenient=True)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise broken(file, f"cannot be read: {error.strerror or error}") from error
    except JsonError as error:
        raise broken(file, f"cannot be read: it {error}") from error
    if not isinstance(content, dict):
        raise broken(file, "holds no JSON object")
    return content


def measure(folder: Path) -> tuple[int | None, int]:
    """The number of a model's weights, and the bytes of their files; every safetensors file is as long as it says.

    The number is None for pickles, which do not say it.

    Raises:
        ModelLoadError: A file is missing, cut off, or not in its format.
    """
    from safetensors import SafetensorError, safe_open

    parameters: int | None = 0
    size = 0
    for path in weight_paths(folder):
        if not path.is_file():
            raise broken(path, "is missing")
        size += path.stat().st_size
        if path.suffix != ".safetensors":
            parameters = None
        elif parameters is not None:
            try:
                with safe_open(path, framework="numpy") as file:
                    parameters += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - no mapping
            except SafetensorError as error:
                raise broken(path, _how(str(error), path.stat().st_size)) from error
    return parameters, size


def _how(said: str, size: int) -> str:
    """What is wrong with a file, by the words of safetensors."""
    if "invalid header length" in said:
        return f"is cut off inside its header, after {size} bytes"
    if "incomplete metadata" in said:
        return f"has {size} bytes where its header says another number"
    return "is not a safetensors file"


def broken(path: Path, how: str) -> ModelLoadError:
    """The error for a model file that is not as it should be; `how` completes "The model file … "."""
    if "snapshots" in path.parts:  # …/models--owner--name/snapshots/<commit> of the hub's cache
        root = Path(*path.parts[: path.parts.index("snapshots")])
        hint = f"Delete the folder {root} and ask again: llmstep then downloads the model anew."
    else:
        hint = "Copy or save the model again; the file was probably not written to its end."
    return ModelLoadError(f"The model file {path} {how}.", hint=hint)
