"""What each command prints with `--json`: the forms of docs/reference/json.md and its JSON Schemas."""

from __future__ import annotations

from typing import Any

import attrs

from llmstep.bench.quality import QualitySummary
from llmstep.bench.runtime import Report
from llmstep.bench.search import Summary
from llmstep.wire.models import AddOutput, DownloadOutput, ModelPage, ModelRow
from llmstep.wire.state import DoctorOutput, SettingsOutput
from llmstep.wire.steps import ProveOutput, SuggestOutput


@attrs.frozen(kw_only=True)
class SearchOutput(Summary):
    """What `llmstep bench search --json` prints."""

    shard: str
    results: str
    """The file with a line for each theorem."""


@attrs.frozen(kw_only=True)
class QualityOutput(QualitySummary):
    """What `llmstep bench quality --json` prints."""

    shard: str
    results: str
    """The file with a line for each goal."""


@attrs.frozen(kw_only=True)
class MergedSearch(Summary):
    """What `llmstep bench merge --json` prints for files of `bench search`."""

    files: int


@attrs.frozen(kw_only=True)
class MergedQuality(QualitySummary):
    """The same for files of `bench quality`."""

    files: int


OUTPUTS: dict[str, Any] = {
    "suggest": SuggestOutput,
    "prove": ProveOutput,
    "settings": SettingsOutput,
    "doctor": DoctorOutput,
    "models list": list[ModelRow],
    "models show": ModelPage,
    "models download": DownloadOutput,
    "models add": AddOutput,
    "bench search": SearchOutput,
    "bench quality": QualityOutput,
    "bench merge": MergedSearch | MergedQuality,
    "bench runtime": Report,
}
"""By the words of the command."""
