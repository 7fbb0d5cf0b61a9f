"""The models that llmstep knows by name, as `models.toml` has them, and how a model is asked for whole proofs."""

from __future__ import annotations

import re
from typing import Final, Literal

import attrs

from llmstep.catalog.memory import BYTES, needed_bytes, weight_bytes
from llmstep.catalog.template import Family, read_tables

Dtype = Literal["float32", "bfloat16", "float16"]
ProofStyle = Literal["plan", "think", "chat"]
"""How a model is asked for a whole proof: for a plan and then the proof, to think step by step, or in plain words."""


@attrs.frozen
class GgufFile:
    """A published file for llama.cpp on the hub."""

    path: str
    """`owner/name/FILE.gguf`."""
    size: int
    """Bytes, as rounded as its page says it."""


@attrs.frozen(kw_only=True)
class ModelRecord:
    """What is known about a model before it is loaded."""

    name: str
    """Name in the settings and on the command line."""
    repo_id: str
    """Id on the Hugging Face hub; empty for the model that comes with the package."""
    template: str
    """Name of its prompt template."""
    summary: str
    family: Family = "causal"
    parameters: int | None = None
    """Number of weights, rounded as its card or paper rounds it."""
    dtype: Dtype = "bfloat16"
    """Number format that it is run in on an accelerator."""
    licence: str | None = None
    """As its card states it; None where no licence is stated."""
    score: str | None = None
    """Reported result on miniF2F-test, with what was special about the search; None where none is reported."""
    score_source: str | None = None
    trust_remote_code: bool = False
    """Whether it brings Python code of its own, which the user has to allow."""
    aliases: tuple[str, ...] = ()
    proofs: ProofStyle | None = None
    """How it is asked for whole proofs; None for models that write one step at a time."""
    bundled: bool = False
    added: bool = False
    """By the user; see `llmstep.catalog.registry`. `repo_id` may then be a folder."""
    stops: tuple[str, ...] = ()
    """Texts that end an answer of this model, beside those of its template."""
    gguf: GgufFile | None = None
    """Its weights for llama.cpp, where a file with them is published."""

    @property
    def size_bytes(self) -> int | None:
        """Memory for its weights in its own number format, from the rounded number of weights."""
        return None if self.parameters is None else round(self.parameters * BYTES[self.dtype])

    def needed_bytes(self, device: str) -> int | None:
        """Memory that it needs on a device, by the format that is taken there by itself; None where that is unknown."""
        if self.bundled or self.parameters is None:
            return None
        return needed_bytes(weight_bytes(self.parameters, device, own=self.dtype))

    @property
    def names(self) -> tuple[str, ...]:
        """Everything it answers to: its name, aliases, hub id, and the hub id without its owner."""
        ids = (self.repo_id, self.repo_id.rpartition("/")[2]) if self.repo_id and not self.added else ()
        return (self.name, *self.aliases, *ids)


CATALOG: Final = tuple(
    sorted(read_tables("models.toml", ModelRecord).values(), key=lambda record: record.parameters or 0)
)
"""All records, small models first."""

_BY_NAME: Final = {name.lower(): record for record in CATALOG for name in record.names}

STARTER: Final = _BY_NAME["starter"]


def find_in_catalog(name_or_id: str) -> ModelRecord | None:
    """The record of the catalog with this name, alias or hub id; upper and lower case are the same."""
    return _BY_NAME.get(name_or_id.strip().lower())


_STYLES: Final[tuple[tuple[str, ProofStyle], ...]] = (
    (r"deepseek-prover-v2|goedel-prover", "plan"),
    (r"kimina-prover", "think"),
    (r"oprover|stepfun-prover|longcat-flash-prover|leanabell|prover-v1\.5", "chat"),
)
"""How models outside of the catalog are asked, quantised ones for example, as far as their names say."""


def style_by_name(name: str) -> ProofStyle | None:
    """How a model of this name is most likely asked for whole proofs; None where the name does not say."""
    return next((style for pattern, style in _STYLES if re.search(pattern, name, re.IGNORECASE)), None)
