"""From what the settings name to a model that looks loadable: its files, and where it goes in which format."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from llmstep.catalog.store import CONFIG, adapter_base, cached_weights, read_json
from llmstep.engine import device as devices
from llmstep.engine import light
from llmstep.engine.files import weights_size
from llmstep.engine.loaded import ROOM, Plan
from llmstep.engine.network import plain_architectures
from llmstep.engine.packages import require
from llmstep.engine.progress import Progress
from llmstep.errors import ModelLoadError, ModelNotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.catalog.resolve import ModelChoice
    from llmstep.engine.runner import Runner
    from llmstep.settings import Settings

LARGE = 2 * devices.SMALL
"""Bytes of weights from which on a model is not small: `auto` looks for the fastest format for it on a CPU."""

Report = Callable[[Progress], None]


def prepare(
    settings: Settings,
    choice: ModelChoice,
    held: Runner | None,
    report: Report,
    cancelled: Callable[[], bool],
) -> Plan:
    """Have the files of a model on this machine, and look whether it can be loaded.

    Args:
        held: The model in memory, which will be given up before the new one is loaded.

    Raises:
        ModelError: It cannot be found, downloaded or loaded.
        CancelledError: `cancelled` said so during the download.
    """
    if choice.record is not None and choice.record.bundled and light.suits(settings):
        _check_family(choice, "causal")
        report(Progress("load", f"Loading {choice.name}"))
        return light.inspect(choice.name)
    require(f"The model {choice.name}", "torch", "transformers")
    placement = devices.place(settings.device, settings.dtype)
    freeable = held.plan.weight_bytes if held and held.plan.placement.device == placement.device else 0
    packed = _packed(choice, settings) if placement.device == "cpu" else None
    if packed is not None and packed.weight_bytes * ROOM <= devices.free_bytes("cpu") + freeable:
        report(Progress("load", f"Loading {choice.name}"))
        return packed
    from llmstep.engine.download import fetch
    from llmstep.engine.plan import inspect

    def look(folder: Path, file_bytes: int | None = None) -> Plan:
        plan = inspect(
            folder,
            name=choice.name,
            placement=_format(settings, placement, folder, file_bytes),
            trust_remote_code=choice.trust_remote_code,
            freeable=freeable,
            file_bytes=file_bytes,
        )
        _check_family(choice, plan.family)
        return plan

    def get(source: str, check: Callable[[Path, int], object]) -> Path:
        return fetch(source, report=report, cancelled=cancelled, code=choice.trust_remote_code, check=check)

    # Gigabytes are not downloaded for a model that cannot be loaded; of an adapter, only the base tells.
    folder = get(choice.source, lambda folder, size: None if adapter_base(folder) else look(folder, size))
    base = adapter_base(folder)
    if base is not None:
        require(f"The adapter {choice.name}", "peft")
        try:
            plan = look(get(base, look))
        except ModelNotFoundError as error:
            raise ModelNotFoundError(f"The base of the adapter {choice.name} is missing. {error.message}") from error
        return attrs.evolve(plan, adapter=folder)
    report(Progress("load", f"Loading {choice.name}"))
    return look(folder)


def _format(
    settings: Settings, placement: devices.Placement, folder: Path, file_bytes: int | None
) -> devices.Placement:
    """Where a model goes and in which format, as the settings say it.

    On a CPU `fast` is the fastest format that its architecture can be run in; so is `auto` for models that are slow
    enough for it to matter.
    """
    if placement.device != "cpu" or settings.dtype not in ("auto", "fast"):
        return placement
    if settings.dtype == "auto" and (weights_size(folder) if file_bytes is None else file_bytes) < LARGE:
        return placement
    from llmstep.engine.fastest import fastest

    in_int8 = read_json(folder / CONFIG).get("model_type") in plain_architectures()
    return devices.Placement("cpu", fastest() if in_int8 else fastest(("float32", "bfloat16")))


def _packed(choice: ModelChoice, settings: Settings) -> Plan | None:
    """The plan of a model that is there in eight bits, if that is its format; made without transformers."""
    if settings.dtype not in ("auto", "fast", "int8"):
        return None
    found = cached_weights(choice.source)
    if found is None:
        return None
    from llmstep.engine import packed

    whole, adapter = found
    plan = packed.find(choice.name, whole, adapter, devices.Placement("cpu", "int8"))
    if plan is None:
        return None
    exact = devices.Placement("cpu", "float32")
    if settings.dtype != "int8" and _format(settings, exact, whole, None) != plan.placement:
        return None
    _check_family(choice, plan.family)
    return plan


def _check_family(choice: ModelChoice, family: str) -> None:
    if family == choice.template.family:
        return
    kinds = {"causal": "decoder-only", "seq2seq": "encoder-decoder"}
    raise ModelLoadError(
        f"The template {choice.template.name} is for {kinds[choice.template.family]} models, "
        f"and {choice.name} is {kinds[family]}.",
        hint="Set llmstep.template to the one the model was trained with.",
    )
