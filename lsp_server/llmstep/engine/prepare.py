"""From what the settings name to the model in memory: its files, where it goes in which format, and its weights."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs

from llmstep.cancel import CancelToken
from llmstep.catalog.files import measure
from llmstep.catalog.model_key import ModelKey
from llmstep.catalog.recommended import Hardware
from llmstep.catalog.resolve import ModelChoice, check_family, resolve
from llmstep.catalog.store import adapter_base, cached_weights, is_path
from llmstep.decoder import why_unsupported
from llmstep.decoder.interface import SMALL
from llmstep.engine import device as devices
from llmstep.engine import own_decoder
from llmstep.engine.loaded import LoadedModel, Plan, release
from llmstep.engine.packages import require
from llmstep.engine.worker import Job
from llmstep.errors import LlmstepError, ModelLoadError, ModelNotFoundError
from llmstep.progress import Progress, ProgressSink, since
from llmstep.settings import Settings

LARGE = 2 * SMALL
"""Bytes of weights from which on a model is worth not being waited for."""


@attrs.define(eq=False)
class Held:
    """At most one model in memory: loaded when a request needs it, given up for another.

    Only the worker's thread touches it.
    """

    publish: Callable[..., None]
    """Takes changes of the status."""
    named: Callable[[], str]
    """Gives the model of the settings."""
    closing: CancelToken
    """Requested when the engine ends, so that reading weights may stop."""
    model: LoadedModel | None = None
    _key: ModelKey | None = None

    @contextlib.contextmanager
    def working(self, job: Job[Any], settings: Settings, choice: ModelChoice) -> Iterator[LoadedModel]:
        """In the worker's thread: the model in memory, while the status says that it works."""
        try:
            model = self.ready(job, settings, choice)
            model.use_threads(settings.threads)
            self.publish(state="generating")
            started = time.perf_counter()
            yield model
            self.publish(last_ms=since(started))
        finally:
            self.rest()

    def ready(self, job: Job[Any], settings: Settings, choice: ModelChoice) -> LoadedModel:
        """In the worker's thread: the model of `choice` in memory.

        The model there now is given up only when the new one is on this machine and looks loadable. Reading the weights
        goes on when the request is cancelled: the next one needs them too, and would start from the beginning.
        """
        if self.model is not None and self.serves(settings, choice):
            return self.model
        self.publish(state="loading", model=choice.name, device="", dtype="")

        def progress(update: Progress) -> None:
            self.publish(state="downloading" if update.stage == "download" else "loading")
            job.progress(update)

        plan = prepare(settings, choice, self.model, progress, job.cancel)
        self.drop()
        self.publish(device=plan.placement.device, dtype=plan.placement.dtype)
        self.model = load(plan, progress, self.closing)
        self._key = ModelKey.of(settings).chosen(choice)
        return self.model

    def serves(self, settings: Settings, choice: ModelChoice) -> bool:
        """Whether the model in memory is the one, on the device and in the format, that is asked for."""
        return self.model is not None and self._key == ModelKey.of(settings).chosen(choice)

    def drop(self) -> None:
        """Free its memory."""
        if self.model is not None:
            device = self.model.plan.placement.device
            self.model = self._key = None
            release(device)

    def rest(self) -> None:
        """After work: say what is in memory."""
        if self.model is None:
            self.publish(state="empty", model=self.named(), device="", dtype="")
        else:
            plan = self.model.plan
            self.publish(state="idle", model=plan.name, device=plan.placement.device, dtype=plan.placement.dtype)


def chosen(settings: Settings, held: LoadedModel | None) -> ModelChoice:
    """The model that the settings mean, by the devices of this machine and their free memory.

    Args:
        held: The model in memory, which would make room for another.

    Raises:
        ModelError: There is no such model.
    """
    if settings.model.strip().lower() != "auto":
        return resolve(settings)
    device = devices.chosen(settings.device)
    return resolve(settings, Hardware(device, devices.free_bytes(device) + _freeable(held, device)))


def is_large(choice: ModelChoice) -> bool:
    """Whether a model is on this machine, and takes so long to load that the starter may answer meanwhile."""
    with contextlib.suppress(LlmstepError, OSError):
        found = cached_weights(choice.source)
        bundled = choice.record is not None and choice.record.bundled
        return found is not None and not bundled and measure(found[0]).file_bytes >= LARGE
    return False


def prepare(
    settings: Settings, choice: ModelChoice, held: LoadedModel | None, progress: ProgressSink, cancel: CancelToken
) -> Plan:
    """Have the files of a model on this machine, and look whether it can be loaded.

    Args:
        held: The model in memory, which will be given up before the new one is loaded.

    Raises:
        ModelError: It cannot be found, downloaded or loaded.
        CancelledError: `cancel` was requested during the download.
    """
    bundled = choice.record is not None and choice.record.bundled  # as fast on the CPU
    device = "cpu" if bundled and settings.device == "auto" else devices.chosen(settings.device)
    freeable = _freeable(held, device)

    def look(folder: Path, file_bytes: int | None = None, adapter: Path | None = None) -> Plan:
        plan = None
        if own_decoder.suits(settings, device):
            plan = own_decoder.inspect(
                folder, name=choice.name, settings=settings, freeable=freeable, file_bytes=file_bytes, adapter=adapter
            )
        if plan is None:
            require(f"The model {choice.name}", "torch", "transformers")
            from llmstep.engine.plan import inspect

            if adapter is not None:
                require(f"The adapter {choice.name}", "peft")
            plan = inspect(
                folder,
                name=choice.name,
                placement=_placement(settings, choice, folder),
                trust_remote_code=choice.trust_remote_code,
                freeable=freeable,
                file_bytes=file_bytes,
            )
        check_family(choice.template, plan.family, choice.name)
        return attrs.evolve(plan, adapter=adapter)

    def get(source: str, check: Callable[[Path, int], object]) -> Path:
        folder = Path(source).expanduser()
        if is_path(source) and folder.is_dir():
            return folder
        from llmstep.hub.download import fetch  # takes long to import

        return fetch(source, progress=progress, cancel=cancel, code=choice.trust_remote_code, check=check)

    # Gigabytes are not downloaded for a model that cannot be loaded; of an adapter, only the base says so.
    folder = get(choice.source, lambda folder, size: None if adapter_base(folder) else look(folder, size))
    base = adapter_base(folder)
    if base is None:
        progress(Progress("load", f"Loading {choice.name}"))
        return look(folder)
    try:
        whole = get(base, look)
    except ModelNotFoundError as error:
        raise ModelNotFoundError(f"The base of the adapter {choice.name} is missing. {error.message}") from error
    return look(whole, adapter=folder)


def load(plan: Plan, progress: ProgressSink, cancel: CancelToken) -> LoadedModel:
    """Read the weights. torch, which takes seconds to import, is imported only where our decoder does not run them.

    Raises:
        ModelError: They cannot be loaded.
        CancelledError: `cancel` was requested.
    """
    if plan.needs_torch:
        from llmstep.engine.loader import load as read
    else:
        from llmstep.engine.own_decoder import load as read
    return read(plan, progress=progress, cancel=cancel)


def _freeable(held: LoadedModel | None, device: str) -> int:
    """Bytes that are free when the model in memory is gone."""
    return held.plan.weight_bytes if held and held.plan.placement.device == device else 0


def _placement(settings: Settings, choice: ModelChoice, folder: Path) -> devices.Placement:
    """Where a model that our decoder does not run goes, and in which format, as the settings say it."""
    placement = devices.place(settings.device, settings.dtype)
    if placement.device == "cpu" and placement.dtype in ("int8", "int4"):
        why = why_unsupported(folder) or ""
        raise ModelLoadError(
            f"The model {choice.name} cannot be run in {placement.dtype} on a CPU. {why}".strip(),
            hint="Set llmstep.dtype to auto.",
        )
    return placement
