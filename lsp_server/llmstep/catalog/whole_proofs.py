"""The models that write whole proofs, and how a model is asked for one.

As steps for suggestions they are of little use: they think for thousands of tokens before they write.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llmstep.catalog.record import ModelRecord

if TYPE_CHECKING:
    from llmstep.catalog.record import ProofStyle

WHOLE_PROOF_MODELS: Final = (
    ModelRecord(
        name="kimina-prover-1.7b",
        repo_id="AI-MO/Kimina-Prover-Distill-1.7B",
        template="instruct-file",
        proofs="think",
        summary="Writes whole proofs after a long thought; the smallest of its kind that is of use",
        parameters=1_700_000_000,
        aliases=("kimina-1.7b",),
    ),
    ModelRecord(
        name="deepseek-prover-v2-7b",
        repo_id="deepseek-ai/DeepSeek-Prover-V2-7B",
        template="instruct-file",
        proofs="plan",
        summary="Writes whole proofs after a plan",
        parameters=7_000_000_000,
        licence="other",
        aliases=("deepseek-prover-v2", "deepseek-prover"),
    ),
    ModelRecord(
        name="kimina-prover-8b",
        repo_id="AI-MO/Kimina-Prover-Distill-8B",
        template="instruct-file",
        proofs="think",
        summary="Writes whole proofs after a long thought",
        parameters=8_000_000_000,
        aliases=("kimina-8b", "kimina-prover"),
    ),
    ModelRecord(
        name="goedel-prover-v2-8b",
        repo_id="Goedel-LM/Goedel-Prover-V2-8B",
        template="instruct-file",
        proofs="plan",
        summary="Writes whole proofs after a plan, and was trained to repair them",
        parameters=8_000_000_000,
        licence="apache-2.0",
        aliases=("goedel-prover-v2", "goedel-prover"),
    ),
    ModelRecord(
        name="goedel-prover-v2-32b",
        repo_id="Goedel-LM/Goedel-Prover-V2-32B",
        template="instruct-file",
        proofs="plan",
        summary="The large form of it; wants a large GPU or several",
        parameters=32_000_000_000,
        licence="apache-2.0",
        score="90.4 % (with its own repairs)",
        score_source="its model card",
    ),
)

_BY_NAME: Final = (
    (re.compile(r"deepseek-prover-v2|goedel-prover", re.IGNORECASE), "plan"),
    (re.compile(r"kimina-prover", re.IGNORECASE), "think"),
    (re.compile(r"oprover|stepfun-prover|longcat-flash-prover|leanabell|prover-v1\.5", re.IGNORECASE), "chat"),
)
"""How models outside of the catalog are asked, quantised ones for example, as far as their names say."""


def style_by_name(name: str) -> ProofStyle | None:
    """How a model of this name is most likely asked for whole proofs; None where the name does not say."""
    for pattern, style in _BY_NAME:
        if pattern.search(name):
            return style  # type: ignore[return-value]
    return None
