"""Models as modules of transformers: what can be checked without their weights, and the way into memory.

`inspect` reads small files and headers alone, so that a model that cannot be loaded is refused before the one in memory
is given up.
"""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig

from llmstep.cancel import NEVER, CancelToken
from llmstep.catalog import memory
from llmstep.catalog.files import ADAPTER_WEIGHTS, broken, measure, read_config, read_json
from llmstep.engine import device as devices
from llmstep.engine.generate import compile_step
from llmstep.engine.loaded import LoadedModel, Plan
from llmstep.engine.reports import first_line, loading_bar, quiet
from llmstep.errors import LlmstepError, ModelLoadError, ModelTooLargeError
from llmstep.progress import Progress, ProgressSink, format_bytes, silent

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
    """What can be known about a model without its weights.

    Args:
        name: How messages call the model.
        freeable: Bytes that will be free when the model now in memory is gone.
        file_bytes: Size of weights that are not there yet, to look before they are downloaded.

    Raises:
        ModelError: There is no model, a file is broken, the architecture is unknown or no text generator, the model
            wants to run code of its own, or the weights do not fit into memory.
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
        raise _too_large(plan, free)
    return plan


def _config(folder: Path, name: str, trust_remote_code: bool) -> Any:
    raw = read_config(folder)
    kind, own_code = raw.get("model_type"), "auto_map" in raw
    if kind not in transformers.CONFIG_MAPPING and not (own_code and trust_remote_code):
        if own_code:
            raise _needs_code(name)
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
    causal, other = transformers.MODEL_FOR_CAUSAL_LM_MAPPING, transformers.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING
    known = other if family == "seq2seq" else causal
    own = (getattr(config, "auto_map", None) or {}).keys() & {"AutoModelForCausalLM", "AutoModelForSeq2SeqLM"}
    if type(config) in known or (own and trust_remote_code):
        return family
    if own:
        raise _needs_code(name)
    raise ModelLoadError(
        f"The model {name} ({config.model_type}) does not generate text.",
        hint="Choose a causal or an encoder-decoder language model: `llmstep models` lists some.",
    )


def _needs_code(name: str) -> ModelLoadError:
    return ModelLoadError(
        f"The model {name} brings Python code of its own, which llmstep runs only with your consent.",
        hint="If you trust its authors, set llmstep.trustRemoteCode to true; otherwise choose another model.",
    )


def read_tokenizer(folder: Path, name: str, *, trust_remote_code: bool = False) -> Any:
    """As `own_decoder.read_tokenizer`, always by transformers."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)
    except Exception as error:
        brings_code = False
        with contextlib.suppress(ModelLoadError):
            brings_code = "auto_map" in read_json(folder / "tokenizer_config.json")
        if brings_code and not trust_remote_code:
            raise _needs_code(name) from error
        raise ModelLoadError(
            f"The tokenizer of {name} is missing or broken ({first_line(error)}).", hint=_TOKENIZER_HINT
        ) from error
    # For some architectures an empty tokenizer is made up when the files are missing.
    ids = tokenizer("a ⊢ b", add_special_tokens=False)["input_ids"]
    if all(token == tokenizer.unk_token_id for token in ids):
        raise ModelLoadError(f"The tokenizer of {name} is missing or empty.", hint=_TOKENIZER_HINT)
    return tokenizer


def _too_large(plan: Plan, free: int | None = None) -> ModelTooLargeError:
    """The error for a model for which `free` bytes, or those that are free now, are not enough."""
    device, dtype = plan.placement.device, plan.placement.dtype
    ways = ["choose a smaller model"]
    if dtype == "float32":
        ways.insert(0, "set llmstep.dtype to bfloat16, which takes half of it")
    if device != "cpu":
        ways += ["set llmstep.device to cpu", "set llmstep.engine to llama.cpp with a GGUF file of fewer bits"]
    gpus = len(devices.cuda_free_bytes()) if device == "cuda" else 1
    where = f"{device} ({gpus} GPUs together)" if gpus > 1 else device
    free = devices.free_bytes(device) if free is None else free
    return memory.too_large(plan.name, plan.weight_bytes, dtype, where, free, ways)


def load(plan: Plan, *, progress: ProgressSink = silent, cancel: CancelToken = NEVER) -> LoadedModel:
    """Read tokenizer and weights.

    Raises:
        ModelError: A file is broken, weights are missing, or memory ran out on the way.
        CancelledError: `cancel` was requested between two tensors.
    """
    message = f"Loading {plan.name} ({format_bytes(plan.weight_bytes)}, {plan.placement.device})"
    progress(Progress("load", message))
    with quiet(), loading_bar(message, progress, cancel):
        try:
            tokenizer = read_tokenizer(plan.tokenizer_folder, plan.name, trust_remote_code=plan.trust_remote_code)
            loaded = _ready(plan, _read(plan), tokenizer)
            compile_step(loaded)
        except LlmstepError:
            raise
        except Exception as error:
            memory_errors = (MemoryError, torch.OutOfMemoryError)
            if isinstance(error, memory_errors) or "allocate memory" in str(error):  # torch's words, in a RuntimeError
                raise _too_large(plan) from error
            raise ModelLoadError(
                f"The model {plan.name} cannot be loaded ({first_line(error)}).",
                hint=f"Its files in {plan.folder} are probably damaged or do not belong together: get them again.",
            ) from error
    progress(Progress("load", message, 1, 1))
    return loaded


def _where(plan: Plan) -> dict[str, Any]:
    """Where the weights go: to one device where they fit one, else whole layers to each GPU, by accelerate.

    Such layers work one after the other: dividing makes room and no speed.
    """
    device = plan.placement.device
    if device != "cuda":
        return {} if device == "cpu" else {"device_map": {"": device}}
    free = devices.cuda_free_bytes()
    for index in (torch.cuda.current_device(), max(free, key=lambda each: free[each])):
        if memory.needed_bytes(plan.weight_bytes) <= free[index]:
            return {"device_map": {"": index}}
    return {"device_map": "auto", "max_memory": {index: int(size / memory.HEADROOM) for index, size in free.items()}}


def _read(plan: Plan) -> Any:
    kind = AutoModelForSeq2SeqLM if plan.family == "seq2seq" else AutoModelForCausalLM
    model, info = kind.from_pretrained(
        plan.folder,
        config=plan.config,
        dtype=plan.placement.dtype,
        output_loading_info=True,
        local_files_only=True,
        trust_remote_code=plan.trust_remote_code,
        **_where(plan),
    )
    if missing := sorted(info["missing_keys"]):
        raise ModelLoadError(
            f"The weights of {plan.name} are incomplete: {len(missing)} tensors are missing, for example {missing[0]}.",
            hint="The weights and config.json do not belong together, or the model was not saved whole.",
        )
    if plan.adapter is not None:
        model = _merge(model, plan.adapter, plan.name)
    model = model.eval().requires_grad_(False)
    if {"cpu", "disk"} & set(map(str, getattr(model, "hf_device_map", {}).values())):
        raise _too_large(plan)
    if plan.placement.device == "cpu":
        # The weights are copied from the mapped file: one that is written anew meanwhile (by training, say) would take
        # the process down with SIGBUS. Parameters that are shared stay shared.
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.data = tensor.data.clone()
    return model


def _merge(model: Any, folder: Path, name: str) -> Any:
    """The base with the LoRA adapter of `folder` in its weights, where it costs nothing; the base itself is changed."""
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise ModelLoadError(
            f"The adapter in {folder} has no {ADAPTER_WEIGHTS}.", hint="Save it again, or download it again."
        )
    from peft import PeftModel

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        adapted = PeftModel.from_pretrained(model, folder)
    if any("missing adapter keys" in str(each.message) for each in warned):
        raise ModelLoadError(
            f"The adapter of {name} does not belong to its base: some of its weights are missing.",
            hint="Get the adapter again, or correct base_model_name_or_path in its adapter_config.json.",
        )
    return adapted.merge_and_unload()


def _ready(plan: Plan, model: Any, tokenizer: Any) -> LoadedModel:
    ends = set()
    for holder in (model.generation_config, model.config, tokenizer):
        ids = getattr(holder, "eos_token_id", None)
        ends.update(ids if isinstance(ids, list) else [] if ids is None else [ids])
    start = None
    if plan.family == "seq2seq":
        names = ("decoder_start_token_id", "bos_token_id")
        said = [getattr(holder, name, None) for holder in (model.generation_config, model.config) for name in names]
        start = next((int(each) for each in said if each is not None), None)
        if start is None:
            raise ModelLoadError(
                f"The model {plan.name} does not say with which token its decoder starts.",
                hint="Set decoder_start_token_id in its config.json.",
            )
    pad = next((ids for ids in (tokenizer.pad_token_id, model.config.pad_token_id) if isinstance(ids, int)), None)
    # Flags that the model's authors left here (top_k, penalties) would be mixed into every request.
    model.generation_config = GenerationConfig()
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return LoadedModel(
        plan=plan,
        model=model,
        tokenizer=tokenizer,
        end_ids=frozenset(ends),
        device=str(model.device),
        pad_id=pad if pad is not None else min(ends, default=0),
        start_id=start,
        positions=positions if isinstance(positions, int) and positions > 0 else None,
    )
