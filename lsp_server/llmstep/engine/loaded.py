"""A model on its way into memory, and there; and the packages that only some models need."""

from __future__ import annotations

import contextlib
import ctypes
import gc
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs

from llmstep.decoder import Decoder
from llmstep.engine.device import Placement, cpu_threads
from llmstep.errors import MissingPackageError

EXTRAS = {"torch": "torch", "transformers": "torch", "accelerate": "torch", "peft": "lora"}
"""The extra of llmstep that brings each of them."""


@attrs.frozen
class Plan:
    """A model that looks loadable, and how it will be loaded."""

    name: str
    folder: Path
    config: Any
    """The `transformers` config; what config.json says, where the decoder runs the model."""
    family: str
    """`causal` or `seq2seq`."""
    placement: Placement
    parameters: int
    weight_bytes: int
    """Memory of the weights in the placement's format."""
    trust_remote_code: bool = False
    adapter: Path | None = None
    """Folder of a LoRA adapter that is merged into the weights; `folder` is its base's."""
    needs_torch: bool = True
    """False where llmstep's own decoder runs it."""

    @property
    def tokenizer_folder(self) -> Path:
        """Where its tokenizer is: with an adapter that brings one, else with the weights."""
        if self.adapter is not None and (self.adapter / "tokenizer_config.json").is_file():
            return self.adapter
        return self.folder


@attrs.define(eq=False)
class LoadedModel:
    """A model in memory, in evaluation mode."""

    plan: Plan
    tokenizer: Any
    end_ids: frozenset[int]
    """Tokens that end an answer."""
    start_id: int | None
    """First token of the decoder; None for causal models."""
    positions: int | None
    """Most tokens of prompt and answer together; None where positions are relative."""
    decoder: Decoder | None = None
    """What draws from the model, where that is llmstep's own decoder."""
    model: Any = None
    """The module of transformers, where that is what draws."""
    pad_id: int = 0
    device: str = "cpu"
    """Where the module takes tokens; that of the first layer, when it is divided among several GPUs."""
    compiles: bool = True
    """Whether `generate` may compile its step for a GPU."""

    def use_threads(self, wanted: int) -> None:
        """Have requests of this thread work with so many threads, as `cpu_threads` has them; a GPU needs none."""
        threads = cpu_threads(wanted, self.plan.parameters)
        if self.decoder is not None:
            self.decoder.threads = threads
        elif self.plan.placement.device == "cpu":
            import torch

            torch.set_num_threads(threads)


def release(device: str) -> None:
    """Give memory back to the system after the last reference to a model is gone."""
    gc.collect()
    if device == "cpu":
        # glibc keeps blocks of up to 32 MB for the next ones; other libraries have no such call.
        with contextlib.suppress(OSError, AttributeError, TypeError):
            ctypes.CDLL(None).malloc_trim(0)
    else:
        import torch

        (torch.cuda if device == "cuda" else torch.mps).empty_cache()


def require(what: str, *packages: str) -> None:
    """Raises MissingPackageError where one of the packages that `what` (a subject) needs is not installed."""
    for name in packages:
        if find_spec(name) is None:
            raise missing(what, name)


def missing(what: str, package: str) -> MissingPackageError:
    title = {"torch": "PyTorch"}.get(package, package)
    return MissingPackageError(
        f"{what} needs {title}, which is not installed.",
        hint=f"Install it with `pip install 'llmstep[{EXTRAS[package]}]'`.",
    )
