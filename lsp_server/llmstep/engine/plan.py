"""Everything about a model that can be checked without loading its weights.

Only small files and headers are read here, so that a model that cannot be loaded is refused before the one in memory
is given up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import transformers
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoTokenizer,
)

from llmstep.catalog import memory
from llmstep.catalog.files import broken, measure, read_config, read_json
from llmstep.engine import device as devices
from llmstep.engine.loaded import Plan
from llmstep.errors import ModelLoadError, ModelTooLargeError

_TOKENIZER_HINT = "Put the tokenizer's files (tokenizer.json, tokenizer_config.json) beside the weights."


def inspect(
    folder: Path,
    *,
    name: str,
    placement: devices.Placement,
    trust_remote_code: bool = False,
    freeable: int = 0,
    file_bytes: int | None = None,
) -> Plan:
    """Check everything about a model that can be checked without loading its weights.

    Args:
        name: How messages call the model.
        freeable: Bytes that will be free when the model now in memory is gone.
        file_bytes: Size of weights that are not there yet, to look before they are downloaded.

    Raises:
        ModelNotFoundError: The folder holds no model.
        ModelLoadError: A file is broken or missing, the architecture is unknown or no text generator, or the model
            wants to run code of its own.
        ModelTooLargeError: The weights do not fit into memory.
    """
    config = _config(folder, name, trust_remote_code)
    family = _family(config, name, trust_remote_code)
    parameters, file_bytes = measure(folder) if file_bytes is None else (None, file_bytes)
    if parameters is None:  # not known exactly; the format of the file is what the config says
        stored = str(getattr(config, "dtype", None) or "float32").removeprefix("torch.")
        parameters = memory.parameters_of(file_bytes, stored)
    plan = Plan(
        name=name,
        folder=folder,
        config=config,
        family=family,
        placement=placement,
        parameters=parameters,
        weight_bytes=memory.weight_bytes(parameters, placement.device, placement.dtype),
        trust_remote_code=trust_remote_code,
    )
    free = devices.free_bytes(placement.device) + freeable
    if memory.needed_bytes(plan.weight_bytes) > free:
        raise too_large(plan, free)
    return plan


def _config(folder: Path, name: str, trust_remote_code: bool) -> Any:
    raw = read_config(folder)
    kind, own_code = raw.get("model_type"), "auto_map" in raw
    if kind not in CONFIG_MAPPING and not (own_code and trust_remote_code):
        if own_code:
            raise needs_code(name)
        version = transformers.__version__
        raise ModelLoadError(
            f"The model {name} has the architecture {kind!r}, which transformers {version} does not know.",
            hint="Upgrade it with `pip install -U transformers`, or choose another model: `llmstep models` lists some.",
        )
    try:
        with quiet():
            return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)
    except Exception as error:
        raise broken(folder / "config.json", f"cannot be read ({first_line(error)})") from error


def _family(config: Any, name: str, trust_remote_code: bool) -> str:
    family = "seq2seq" if getattr(config, "is_encoder_decoder", False) else "causal"
    known = MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING if family == "seq2seq" else MODEL_FOR_CAUSAL_LM_MAPPING
    own = (getattr(config, "auto_map", None) or {}).keys() & {"AutoModelForCausalLM", "AutoModelForSeq2SeqLM"}
    if type(config) in known or (own and trust_remote_code):
        return family
    if own:
        raise needs_code(name)
    raise ModelLoadError(
        f"The model {name} ({config.model_type}) does not generate text.",
        hint="Choose a causal or an encoder-decoder language model: `llmstep models` lists some.",
    )


def needs_code(name: str) -> ModelLoadError:
    """The error for a model that wants to run Python code from its repository."""
    return ModelLoadError(
        f"The model {name} brings Python code of its own, which llmstep runs only with your consent.",
        hint="If you trust its authors, set llmstep.trustRemoteCode to true; otherwise choose another model.",
    )


def read_tokenizer(folder: Path, name: str, *, trust_remote_code: bool = False) -> Any:
    """As `own_decoder.read_tokenizer`, always by transformers."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)
    except Exception as error:
        if not trust_remote_code and _brings_code(folder):
            raise needs_code(name) from error
        raise ModelLoadError(
            f"The tokenizer of {name} is missing or broken ({first_line(error)}).", hint=_TOKENIZER_HINT
        ) from error
    # For some architectures an empty tokenizer is made up when the files are missing.
    ids = tokenizer("a ⊢ b", add_special_tokens=False)["input_ids"]
    if all(token == tokenizer.unk_token_id for token in ids):
        raise ModelLoadError(f"The tokenizer of {name} is missing or empty.", hint=_TOKENIZER_HINT)
    return tokenizer


def _brings_code(folder: Path) -> bool:
    """Whether a model has a tokenizer in Python of its own."""
    try:
        return "auto_map" in read_json(folder / "tokenizer_config.json")
    except ModelLoadError:
        return False


def too_large(plan: Plan, free: int) -> ModelTooLargeError:
    """The error for a model for which `free` bytes are not enough."""
    ways = ["choose a smaller model"]
    if plan.placement.dtype == "float32":
        ways.insert(0, "set llmstep.dtype to bfloat16, which takes half of it")
    if plan.placement.device != "cpu":
        ways += ["set llmstep.device to cpu", "set llmstep.engine to llama.cpp with a GGUF file of fewer bits"]
    device = plan.placement.device
    gpus = len(devices.cuda_free_bytes()) if device == "cuda" else 1
    where = f"{device} ({gpus} GPUs together)" if gpus > 1 else device
    return memory.too_large(plan.name, plan.weight_bytes, plan.placement.dtype, where, free, ways)


def first_line(error: Exception) -> str:
    """The beginning of what a library says, to be put in brackets."""
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".:")[:200] if lines else type(error).__name__


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No reports and warnings of transformers on the error stream; what matters is raised."""
    logging = transformers.utils.logging
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
