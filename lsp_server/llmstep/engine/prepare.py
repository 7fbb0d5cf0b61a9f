"""From what the settings name to a model in memory: its files, where it goes in which format, and its weights."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import attrs

from llmstep.cancel import CancelToken
from llmstep.catalog.files import measure
from llmstep.catalog.recommended import Hardware
from llmstep.catalog.resolve import ModelChoice, check_family, resolve
from llmstep.catalog.store import adapter_base, cached_weights, is_path, path_of
from llmstep.decoder import why_unsupported
from llmstep.decoder.interface import SMALL
from llmstep.engine import device as devices
from llmstep.engine import own_decoder
from llmstep.engine.loaded import LoadedModel, Plan, require
from llmstep.errors import LlmstepError, ModelLoadError, ModelNotFoundError
from llmstep.progress import Progress, ProgressSink
from llmstep.settings import Settings

LARGE = 2 * SMALL
"""Bytes of weights from which on a model is worth not being waited for."""


def chosen(settings: Settings, held: LoadedModel | None) -> ModelChoice:
    """The model that the settings mean, by the devices and their memory, which `held` would free; or a ModelError."""
    if settings.model.strip().lower() != "auto":
        return resolve(settings)
    device = devices.chosen(settings.device)
    return resolve(settings, Hardware(device, devices.free_bytes(device) + _freeable(held, device)))


def is_large(choice: ModelChoice) -> bool:
    """Whether a model is on this machine, and takes so long to load that the starter may answer meanwhile."""
    with contextlib.suppress(LlmstepError, OSError):
        found = cached_weights(choice.source)
        return found is not None and not _bundled(choice) and measure(found[0])[1] >= LARGE
    return False


def prepare(
    settings: Settings, choice: ModelChoice, held: LoadedModel | None, progress: ProgressSink, cancel: CancelToken
) -> Plan:
    """Have the files of a model on this machine, and look whether it can be loaded.

    Args:
        held: The model in memory, which will be given up before the new one is loaded.

    Raises:
        ModelError, CancelledError: It cannot be found, downloaded or loaded; `cancel` was requested meanwhile.
    """
    name = choice.name
    device = "cpu" if _bundled(choice) and settings.device == "auto" else devices.chosen(settings.device)
    freeable = _freeable(held, device)

    def look(folder: Path, file_bytes: int | None = None, adapter: Path | None = None) -> Plan:
        plan = None
        if own_decoder.suits(settings, device):
            plan = own_decoder.inspect(
                folder, name=name, settings=settings, freeable=freeable, file_bytes=file_bytes, adapter=adapter
            )
        if plan is None:
            require(f"The model {name}", "torch", "transformers")
            if adapter is not None:
                require(f"The adapter {name}", "peft")
            from llmstep.engine.loader import inspect

            placement = devices.place(settings.device, settings.dtype)
            if placement.device == "cpu" and placement.dtype in ("int8", "int4"):
                why = why_unsupported(folder) or ""
                raise ModelLoadError(
                    f"The model {name} cannot be run in {placement.dtype} on a CPU. {why}".strip(),
                    hint="Set llmstep.dtype to auto.",
                )
            code = choice.trust_remote_code
            plan = inspect(
                folder,
                name=name,
                placement=placement,
                trust_remote_code=code,
                freeable=freeable,
                file_bytes=file_bytes,
            )
        check_family(choice.template, plan.family, name)
        return attrs.evolve(plan, adapter=adapter)

    def get(source: str, check: Callable[[Path, int], object]) -> Path:
        folder = path_of(source)
        if is_path(source) and folder.is_dir():
            return folder
        from llmstep.hub.download import fetch  # takes long to import

        return fetch(source, progress=progress, cancel=cancel, code=choice.trust_remote_code, check=check)

    # Gigabytes are not downloaded for a model that cannot be loaded; of an adapter, only the base says so.
    folder = get(choice.source, lambda folder, size: None if adapter_base(folder) else look(folder, size))
    base = adapter_base(folder)
    if base is None:
        progress(Progress("load", f"Loading {name}"))
        return look(folder)
    try:
        whole = get(base, look)
    except ModelNotFoundError as error:
        raise ModelNotFoundError(f"The base of the adapter {name} is missing. {error.message}") from error
    return look(whole, adapter=folder)


def load(plan: Plan, progress: ProgressSink, cancel: CancelToken, cache: Path | None = None) -> LoadedModel:
    """Read the weights; torch, which takes seconds to import, is imported only where our decoder does not run them.

    Args:
        cache: That of `own_decoder.load`.
    """
    if plan.needs_torch:
        from llmstep.engine import loader

        return loader.load(plan, progress=progress, cancel=cancel)
    return own_decoder.load(plan, progress=progress, cancel=cancel, cache=cache)


def _bundled(choice: ModelChoice) -> bool:
    """Whether it is the starter, which is as fast on the CPU."""
    return choice.record is not None and choice.record.bundled


def _freeable(held: LoadedModel | None, device: str) -> int:
    return held.plan.weight_bytes if held and held.plan.placement.device == device else 0
