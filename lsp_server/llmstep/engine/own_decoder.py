"""Models that llmstep's own decoder runs (`llmstep.decoder`): on CPUs, without torch and transformers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmstep import decoder
from llmstep.cancel import NEVER, CancelToken
from llmstep.catalog.files import measure, read_config
from llmstep.catalog.memory import HEADROOM, needed_bytes, parameters_of, too_large, weight_bytes
from llmstep.decoder.interface import SMALL
from llmstep.engine import device as devices
from llmstep.engine.device import Placement
from llmstep.engine.loaded import LoadedModel, Plan, require
from llmstep.errors import CancelledError, ModelLoadError, ModelTooLargeError
from llmstep.progress import Progress, ProgressSink, format_bytes, silent
from llmstep.settings import Settings

FORMATS = ("auto", "fast", "float32", "int8", "int4")
"""Values of the setting `dtype` that the decoder has a format for."""


def suits(settings: Settings, device: str) -> bool:
    """Whether models that the decoder knows are run by it."""
    return device == "cpu" and settings.dtype in FORMATS


def inspect(
    folder: Path,
    *,
    name: str,
    settings: Settings,
    freeable: int = 0,
    file_bytes: int | None = None,
    adapter: Path | None = None,
) -> Plan | None:
    """The plan of a model and its LoRA adapter, as `loader.inspect`; None where the decoder does not know it."""
    config = read_config(folder)
    if not decoder.supports(config) or "auto_map" in config:
        return None
    formats: dict[str, decoder.Quantization] = {"float32": "float32", "int8": "int8", "int4": "int4"}
    wanted = formats.get(settings.dtype, "auto")
    free = devices.free_bytes("cpu") + freeable
    capacity = int(free / HEADROOM)
    if file_bytes is None:
        if decoder.why_unsupported(folder) is not None or (adapter and decoder.why_unsupported_adapter(adapter)):
            return None
        measure(folder)
        with _loading(name):
            size = decoder.measure(folder, wanted, capacity)
    else:
        size = _guess(config, wanted, file_bytes, capacity)
        if needed_bytes(size.weight_bytes) > free:
            raise too_large(name, size.weight_bytes, size.quantization, "cpu", free, ["choose a smaller model"])
    return Plan(
        name=name,
        folder=folder,
        config=config,
        family="seq2seq" if config["model_type"] == "t5" else "causal",
        placement=Placement("cpu", size.quantization),
        parameters=size.parameters,
        weight_bytes=size.weight_bytes,
        needs_torch=False,
    )


def read_tokenizer(folder: Path, name: str, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer in a folder of files, by our decoder where that knows the model; nothing is downloaded.

    Raises:
        ModelError: It is missing or broken, brings code that may not run, or needs transformers, which is not there.
    """
    if decoder.why_unsupported(folder) is None:
        from llmstep.decoder.tokenizer import read

        with _loading(name):
            return read(folder)
    require(f"The tokenizer of {name}", "torch", "transformers")
    from llmstep.engine import loader

    return loader.read_tokenizer(folder, name, trust_remote_code=trust_remote_code)


def compile_for(folder: Path, settings: Settings, progress: ProgressSink = silent) -> None:
    """Compile the decoder once a machine, for a model that has just come, so that its first answer need not wait."""
    if suits(settings, devices.without_torch(settings.device) or ""):
        with contextlib.suppress(decoder.DecoderError):
            decoder.prepare(
                lambda what, share: progress(Progress("load", what, round(100 * share), 100)), folder=folder
            )


def load(
    plan: Plan, *, progress: ProgressSink = silent, cancel: CancelToken = NEVER, cache: Path | None = None
) -> LoadedModel:
    """Read tokenizer and weights, as `loader.load`; `cache` is that of `llmstep.decoder.load`."""
    message = f"Loading {plan.name} ({format_bytes(plan.weight_bytes)}, cpu)"

    def reading(what: str, share: float) -> None:
        progress(Progress("load", message if what.startswith("Reading") else what, round(100 * share), 100))

    progress(Progress("load", message))
    with _loading(plan.name):
        model = decoder.load(
            plan.folder,
            quantization=plan.placement.dtype,  # type: ignore[arg-type]
            adapter=plan.adapter,
            progress=reading,
            cancel=lambda: cancel.requested,
            cache=cache,
        )
    progress(Progress("load", message, 1, 1))
    return LoadedModel(plan, model.tokenizer, model.end_ids, model.start_id, model.positions, decoder=model)


def _guess(config: dict[str, Any], wanted: decoder.Quantization, file_bytes: int, free: int) -> decoder.Footprint:
    parameters = parameters_of(file_bytes, str(config.get("dtype") or config.get("torch_dtype") or "float32"))
    if wanted == "auto" and parameters < SMALL:
        wanted = "float32"
    elif wanted == "auto":
        wanted = "int8" if weight_bytes(parameters, "cpu", "int8") <= free else "int4"
    return decoder.Footprint(wanted, parameters, weight_bytes(parameters, "cpu", wanted))


@contextlib.contextmanager
def _loading(name: str) -> Iterator[None]:
    """Turn what the decoder says into what llmstep says."""
    try:
        yield
    except decoder.StoppedError as error:
        raise CancelledError("Loading the model was cancelled.") from error
    except decoder.MemoryShortError as error:
        raise ModelTooLargeError(f"The model {name} does not fit. {error.message}", hint=error.hint) from error
    except decoder.DecoderError as error:
        hint = error.hint or "Choose another model: `llmstep models` lists some."
        raise ModelLoadError(f"The model {name} cannot be loaded. {error.message}", hint=hint) from error
