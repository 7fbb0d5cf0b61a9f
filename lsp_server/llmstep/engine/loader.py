"""From a folder to a model in memory."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from tqdm.std import tqdm
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, GenerationConfig

from llmstep.cancel import NEVER, CancelToken
from llmstep.catalog.files import ADAPTER_WEIGHTS
from llmstep.catalog.memory import HEADROOM, needed_bytes
from llmstep.engine import device as devices
from llmstep.engine.generate import compile_step
from llmstep.engine.loaded import LoadedModel, Plan
from llmstep.engine.plan import first_line, quiet, read_tokenizer, too_large
from llmstep.errors import LlmstepError, ModelLoadError
from llmstep.progress import Progress, ProgressSink, format_bytes, silent


def load(plan: Plan, *, progress: ProgressSink = silent, cancel: CancelToken = NEVER) -> LoadedModel:
    """Read tokenizer and weights.

    Raises:
        ModelLoadError: A file is broken, or weights are missing.
        ModelTooLargeError: Memory ran out on the way.
        CancelledError: `cancel` was requested between two tensors.
    """
    message = f"Loading {plan.name} ({format_bytes(plan.weight_bytes)}, {plan.placement.device})"
    progress(Progress("load", message))
    with quiet(), _loading_bar(message, progress, cancel):
        try:
            loaded = _whole(plan)
        except LlmstepError:
            raise
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise too_large(plan, devices.free_bytes(plan.placement.device)) from error
        except Exception as error:
            if "allocate memory" in str(error):  # how torch's allocator for CPUs says it, in a RuntimeError
                raise too_large(plan, devices.free_bytes(plan.placement.device)) from error
            raise ModelLoadError(
                f"The model {plan.name} cannot be loaded ({first_line(error)}).",
                hint=f"Its files in {plan.folder} are probably damaged or do not belong together: get them again.",
            ) from error
    progress(Progress("load", message, 1, 1))
    return loaded


def _whole(plan: Plan) -> LoadedModel:
    tokenizer = read_tokenizer(plan.tokenizer_folder, plan.name, trust_remote_code=plan.trust_remote_code)
    model = _read(plan).eval().requires_grad_(False)
    if {"cpu", "disk"} & set(map(str, getattr(model, "hf_device_map", {}).values())):
        raise too_large(plan, devices.free_bytes(plan.placement.device))
    if plan.placement.device == "cpu":
        _detach(model)
    loaded = _ready(plan, model, tokenizer)
    compile_step(loaded)
    return loaded


def _where(plan: Plan) -> dict[str, Any]:
    """Where the weights go: to one device where they fit one, else whole layers to each GPU, by accelerate.

    Layers on several devices work one after the other, so that dividing a model makes room and no speed.
    """
    device = plan.placement.device
    if device != "cuda":
        return {} if device == "cpu" else {"device_map": {"": device}}
    free = devices.cuda_free_bytes()
    current = torch.cuda.current_device()
    for index in (current, max(free, key=lambda each: free[each])):
        if needed_bytes(plan.weight_bytes) <= free[index]:
            return {"device_map": {"": index}}
    return {"device_map": "auto", "max_memory": {index: int(size / HEADROOM) for index, size in free.items()}}


def _read(plan: Plan) -> Any:
    """The module with its weights."""
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
    return model


def _merge(model: Any, folder: Path, name: str) -> Any:
    """The base with the LoRA adapter of `folder` in its weights, so that it costs nothing; the base itself is changed.

    Raises:
        ModelLoadError: The adapter's weights are missing or do not belong to this base.
    """
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise ModelLoadError(
            f"The adapter in {folder} has no {ADAPTER_WEIGHTS}.", hint="Save it again, or download it again."
        )
    from peft import PeftModel

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        adapted = PeftModel.from_pretrained(model, folder)
    foreign = [str(each.message) for each in warned if "missing adapter keys" in str(each.message)]
    if foreign:
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
    start = _start_id(plan, model)
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


def _start_id(plan: Plan, model: Any) -> int | None:
    """First token of the decoder; None for causal models."""
    if plan.family == "causal":
        return None
    for holder in (model.generation_config, model.config):
        for name in ("decoder_start_token_id", "bos_token_id"):
            if (start := getattr(holder, name, None)) is not None:
                return int(start)
    raise ModelLoadError(
        f"The model {plan.name} does not say with which token its decoder starts.",
        hint="Set decoder_start_token_id in its config.json.",
    )


def _detach(model: Any) -> None:
    """Copy the weights from the mapped file into memory.

    Otherwise they are read at the first request, and a file that is written anew meanwhile (by training, say) takes the
    process down with SIGBUS. Parameters that are shared stay shared.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()


@contextlib.contextmanager
def _loading_bar(message: str, progress: ProgressSink, cancel: CancelToken) -> Iterator[None]:
    """Turn the bar that transformers draws while it loads weights into progress."""

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})
            self.counts = kwargs.get("desc") == "Loading weights"

        def __iter__(self) -> Iterator[Any]:
            for index, item in enumerate(self.iterable):
                cancel.check("Loading the model was cancelled.")
                if self.counts:
                    progress(Progress("load", message, index, len(self.iterable)))
                yield item

    set_hook = getattr(transformers.utils.logging, "set_tqdm_hook", lambda hook: None)
    previous = set_hook(lambda _factory, args, kwargs: Bar(*args, **kwargs))
    try:
        yield
    finally:
        set_hook(previous)
