"""From what the settings name to a model that looks loadable: its files, and where it goes in which format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from llmstep.cancel import CancelToken
from llmstep.catalog.files import is_complete
from llmstep.catalog.resolve import Hardware, ModelChoice, check_family, resolve
from llmstep.catalog.store import adapter_base, cached_weights
from llmstep.decoder import why_unsupported
from llmstep.decoder.interface import SMALL
from llmstep.engine import device as devices
from llmstep.engine import own_decoder
from llmstep.engine.loaded import LoadedModel, Plan
from llmstep.engine.packages import require
from llmstep.errors import ModelLoadError, ModelNotFoundError
from llmstep.progress import Progress, ProgressSink

if TYPE_CHECKING:
    from llmstep.settings import Settings

LARGE = 2 * SMALL
"""Bytes of weights from which on a model is worth not being waited for."""


def prepare(
    settings: Settings,
    choice: ModelChoice,
    held: LoadedModel | None,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Plan:
    """Have the files of a model on this machine, and look whether it can be loaded.

    Args:
        held: The model in memory, which will be given up before the new one is loaded.

    Raises:
        ModelError: It cannot be found, downloaded or loaded.
        CancelledError: `cancel` was requested during the download.
    """
    device = _device(settings, choice)
    freeable = _freeable(held, device)

    def look(folder: Path, file_bytes: int | None = None, adapter: Path | None = None) -> Plan:
        plan = None
        if own_decoder.suits(settings, device):
            plan = own_decoder.inspect(
                folder, name=choice.name, settings=settings, freeable=freeable, file_bytes=file_bytes, adapter=adapter
            )
        plan = plan or _by_torch(settings, choice, folder, file_bytes, freeable, adapter)
        check_family(choice.template, plan.family, choice.name)
        return attrs.evolve(plan, adapter=adapter)

    found = None if choice.trust_remote_code else cached_weights(choice.source)
    if found is not None and is_complete(found[0]):
        progress(Progress("load", f"Loading {choice.name}"))
        return look(found[0], adapter=found[1])
    from llmstep.hub.download import fetch

    def get(source: str, check: Callable[[Path, int], object]) -> Path:
        return fetch(source, progress=progress, cancel=cancel, code=choice.trust_remote_code, check=check)

    # Gigabytes are not downloaded for a model that cannot be loaded; of an adapter, only the base says so.
    folder = get(choice.source, lambda folder, size: None if adapter_base(folder) else look(folder, size))
    base = adapter_base(folder)
    if base is not None:
        try:
            whole = get(base, look)
        except ModelNotFoundError as error:
            raise ModelNotFoundError(f"The base of the adapter {choice.name} is missing. {error.message}") from error
        return look(whole, adapter=folder)
    progress(Progress("load", f"Loading {choice.name}"))
    return look(folder)


def chosen(settings: Settings, held: LoadedModel | None) -> ModelChoice:
    """The model that the settings mean, by the devices of this machine and their free memory.

    Args:
        held: The model in memory, which would make room for another.

    Raises:
        ModelError: There is no such model.
    """
    if settings.model.strip().lower() != "auto":
        return resolve(settings)
    device = devices.without_torch(settings.device) or devices.place(settings.device, settings.dtype).device
    return resolve(settings, Hardware(device, devices.free_bytes(device) + _freeable(held, device)))


def _freeable(held: LoadedModel | None, device: str) -> int:
    """Bytes that are free when the model in memory is gone."""
    return held.plan.weight_bytes if held and held.plan.placement.device == device else 0


def _device(settings: Settings, choice: ModelChoice) -> str:
    """Where the model goes: the bundled one to the CPU, where it is as fast, unless the settings say otherwise."""
    bundled = choice.record is not None and choice.record.bundled
    if bundled and settings.device == "auto":
        return "cpu"
    return devices.without_torch(settings.device) or devices.place(settings.device, "auto").device


def _by_torch(
    settings: Settings, choice: ModelChoice, folder: Path, file_bytes: int | None, freeable: int, adapter: Path | None
) -> Plan:
    """The plan of a model that llmstep's own decoder does not run.

    Raises:
        ModelError: It cannot be loaded, or a package that it needs is not installed.
    """
    require(f"The model {choice.name}", "torch", "transformers")
    from llmstep.engine.plan import inspect

    if adapter is not None:
        require(f"The adapter {choice.name}", "peft")
    return inspect(
        folder,
        name=choice.name,
        placement=_format(settings, choice, folder),
        trust_remote_code=choice.trust_remote_code,
        freeable=freeable,
        file_bytes=file_bytes,
    )


def _format(settings: Settings, choice: ModelChoice, folder: Path) -> devices.Placement:
    """Where a model goes and in which format, as the settings say it."""
    placement = devices.place(settings.device, settings.dtype)
    if placement.device == "cpu" and placement.dtype in ("int8", "int4"):
        why = why_unsupported(folder) or ""
        raise ModelLoadError(
            f"The model {choice.name} cannot be run in {placement.dtype} on a CPU. {why}".strip(),
            hint="Set llmstep.dtype to auto.",
        )
    return placement
