"""What is known about a model of the catalog before it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from llmstep.catalog.memory import BYTES, needed_bytes, weight_bytes

if TYPE_CHECKING:
    from llmstep.catalog.template import Family

Dtype = Literal["float32", "bfloat16", "float16"]
ProofStyle = Literal["plan", "think", "chat"]
"""How a model is asked for a whole proof: for a plan and then the proof, to think step by step, or in plain words."""


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
    """By the user; see `llmstep.catalog.added`. `repo_id` may then be a folder."""
    stops: tuple[str, ...] = ()
    """Texts that end an answer of this model, beside those of its template."""

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
