"""Models, as lists and pages show them."""

from __future__ import annotations

from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class KnownModel:
    """What every list says of a model."""

    name: str
    parameters: int | None
    size_bytes: int | None
    licence: str | None
    """Null where none is stated."""
    cached: bool
    """Whether it is on this machine."""
    template: str
    trust_remote_code: bool
    """Whether it brings Python code of its own."""
    summary: str


@attrs.frozen(kw_only=True)
class ModelEntry(KnownModel):
    """One entry of the answer of `llmstep.models`."""

    repo_id: str
    """Id on the hub, or a folder; empty for the one that comes with llmstep."""
    family: Literal["causal", "seq2seq"]
    cpu_bytes: int | None
    """Memory that it needs on the CPU; null where that is not known, and for the one that comes with llmstep."""
    gpu_bytes: int | None
    """The same on a GPU."""
    score: str | None
    """Reported result on miniF2F-test."""
    score_source: str | None
    bundled: bool
    """Whether it comes with llmstep."""
    active: bool
    recommended: bool
    """By the rule that `auto` and doctor follow."""


@attrs.frozen(kw_only=True)
class ModelRow(KnownModel):
    """One entry of `llmstep models list --json`."""

    id: str | None
    """Id on the hub, or a folder; null for the one that comes with llmstep."""
    reported_minif2f_test: str | None
    source: str | None
    """Who reports that."""
    added: bool
    """By the user."""
    stops: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ModelPage(ModelRow):
    """What `llmstep models show --json` prints."""

    device: Literal["cpu", "cuda", "mps"]
    """What it would run on."""
    needed_bytes: int | None
    free_bytes: int | None
    fits: bool | None
    """Whether it fits the memory that is free now; null where its size is not known."""
    recommended: bool
    """Whether it is the one that is recommended for this machine."""
    folder: str | None


@attrs.frozen(kw_only=True)
class DownloadAnswer:
    """The answer of `llmstep.downloadModel`."""

    model: str
    folder: str
    """Its folder, or the one file."""


@attrs.frozen(kw_only=True)
class DownloadOutput(DownloadAnswer):
    """What `llmstep models download --json` prints."""

    bytes: int
    """What was missing before."""


@attrs.frozen(kw_only=True)
class AddOutput:
    """What `llmstep models add --json` prints."""

    name: str
    model: str
    template: str
    stops: tuple[str, ...]
    prompts: tuple[str, ...]
    """What it is given for an example."""
    decoder: str
    """What the decoder of an encoder-decoder model starts with."""
    tokens: tuple[int, ...] | None
    """Of each prompt; null where the tokenizer is not on this machine."""
    saved: bool
    replaced: bool
    """Whether there was one of this name."""
